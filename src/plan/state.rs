//! What outlives a step: parameters, gradient, diagonal, and the optimiser's moments.

use crate::gpu::{Buffer, Context, Tensor, check_roles};
#[cfg(feature = "train")]
use crate::model::OptimizerState;
use crate::model::{Groups, Limits, Model, Noise, Optimizer, Parameter, Span, Transition};
use crate::ops::noise;
use crate::ops::optimizer::{self, Hyper, LimitWords};
use crate::{Error, Result};

/// Parameters of one model on one device, with gradient, diagonal and optimiser state. All are flat: see
/// [`Parameter::offset`]. Plans of any batch size and mode share it.
#[derive(Debug, Clone)]
pub struct State {
    context: Context,
    model: Model,
    optimizer: Option<Optimizer>,
    groups: Groups,
    parameters: Tensor,
    gradient: Tensor,
    diagonal: Tensor,
    moments: Option<Moments>,
    /// Seed and step of random numbers, which the GPU advances.
    noise: Tensor,
    /// Running statistics.
    statistics: Tensor,
}

/// The optimiser's part, in one buffer, so that a kernel binds it as one: see `shaders/optimizer/state.wgsl`.
#[derive(Debug, Clone)]
pub(crate) struct Moments {
    pub memory: Tensor,
    pub first: Tensor,
    pub second: Option<Tensor>,
    /// A mean of the parameters.
    pub average: Option<Tensor>,
    /// Hyper-parameters, which the host may rewrite between submissions.
    pub hyper: Tensor,
    /// Where steps are limited: the limits, alike.
    pub limits: Option<Tensor>,
    /// Step counts and bias corrections, which the GPU keeps.
    #[cfg(feature = "train")]
    pub counters: Tensor,
    /// Whether an update wrote something that is not finite.
    pub diverged: Tensor,
}

impl Moments {
    fn new(
        context: &Context,
        optimizer: &Optimizer,
        groups: &Groups,
        spans: &[Span],
        len: usize,
    ) -> Result<Moments> {
        let words = optimizer::memory_len(optimizer, groups, len);
        let buffer = context.storage("optimizer", words)?;
        let part = |name: &str, at, len| Tensor::new(name, &buffer, at, &[len]);
        // Where the planes of so many numbers for each parameter end.
        let behind = |planes: usize| Hyper::FIRST + planes * len;
        let (planes, averages) = (optimizer::planes(optimizer), optimizer.average.is_some());
        let limited = optimizer::is_limited(optimizer, groups);
        if limited {
            let blocks = optimizer::blocks(spans, len);
            let tensor = part("blocks of parameters", behind(planes), 4 * blocks.len());
            context.write_bytes(&tensor, bytemuck::cast_slice(&blocks))?;
            let factors = part("factors of a step", LimitWords::FACTORS, 2);
            context.write_bytes(&factors, bytemuck::cast_slice(&[1.0_f32; 2]))?;
        }
        let second = optimizer.rule.has_second_moment();
        Ok(Moments {
            memory: part("optimizer", 0, words),
            first: part("first moment", Hyper::FIRST, len),
            second: second.then(|| part("second moment", behind(1), len)),
            average: averages.then(|| part("mean of the parameters", behind(planes - 1), len)),
            hyper: part("hyper-parameters", 0, Hyper::LEN),
            limits: limited.then(|| part("limits", LimitWords::AT, LimitWords::LEN)),
            #[cfg(feature = "train")]
            counters: part("step counters", Hyper::LEN, 4),
            diverged: part("divergence", Hyper::DIVERGED, 1),
        })
    }
}

/// Raw buffers of the host's, each for `model.flat_len()` numbers and at least 64; what is `None` is made. Usage STORAGE, and
/// COPY_SRC and COPY_DST where the crate is to read or write it.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
#[must_use]
pub struct StateBuffers {
    /// Parameters.
    pub parameters: Option<wgpu::Buffer>,
    /// Gradient.
    pub gradient: Option<wgpu::Buffer>,
    /// Hessian diagonal.
    pub diagonal: Option<wgpu::Buffer>,
}

impl StateBuffers {
    setters! {
        /// Parameters in this buffer.
        parameters(buffer: &wgpu::Buffer) => Some(buffer.clone());
        /// The gradient in this buffer.
        gradient(buffer: &wgpu::Buffer) => Some(buffer.clone());
        /// The Hessian diagonal in this buffer.
        diagonal(buffer: &wgpu::Buffer) => Some(buffer.clone());
    }
}

impl State {
    /// Parameters, gradient and diagonal at zero; with an optimiser, its moments too.
    ///
    /// # Errors
    /// [`Error::Value`] and [`Error::Setting`] for the optimiser's; [`Error::Limit`] for a model larger than the device allows;
    /// [`Error::Device`].
    pub fn new(context: &Context, model: &Model, optimizer: Option<Optimizer>) -> Result<State> {
        State::with_buffers(context, model, optimizer, StateBuffers::default())
    }

    /// The same on the host's buffers.
    ///
    /// # Errors
    /// As [`State::new`]; [`Error::BufferSize`] and [`Error::BufferUsage`]; [`Error::SharedBuffer`] for one buffer in two
    /// roles; [`Error::Foreign`] for one of another device. Of a buffer that the host may map wgpu does not tell
    /// whose it is.
    pub fn with_buffers(
        context: &Context,
        model: &Model,
        optimizer: Option<Optimizer>,
        buffers: StateBuffers,
    ) -> Result<State> {
        State::with_groups(context, model, optimizer, &Groups::default(), buffers)
    }

    /// The same with groups of parameters, for instance some that are frozen: no list of its plans computes what only those would
    /// need. Gradient and diagonal of a layer all of whose parameters are frozen stay as they are, unless the network is taken as a
    /// whole; of a layer that is frozen in part both may be written.
    ///
    /// # Errors
    /// As [`State::with_buffers`]; [`Error::Unknown`] for a pattern that matches no parameter; [`Error::Value`] for a group's
    /// numbers; [`Error::NotPlanned`] for a mean of the parameters that begins in the host's buffer, whose numbers are not known here.
    pub fn with_groups(
        context: &Context,
        model: &Model,
        optimizer: Option<Optimizer>,
        groups: &Groups,
        buffers: StateBuffers,
    ) -> Result<State> {
        let len = model.flat_len().max(64);
        let flat = |name: &'static str, given: Option<wgpu::Buffer>| {
            let buffer = match given {
                Some(buffer) => {
                    given_buffer(context, name, &buffer, len).map_err(|error| error.about(name))?
                }
                None => context.storage(name, len)?,
            };
            Ok(Tensor::new(name, &buffer, 0, &[len]))
        };
        if buffers.parameters.is_some() && optimizer.is_some_and(|optimizer| optimizer.average.is_some()) {
            let what = "a mean of the parameters in the host's buffer";
            return Err(Error::not_planned(what, "parameters in a buffer of the crate's"));
        }
        let spans = groups.spans(model, &optimizer.unwrap_or(Optimizer::sgd(0.0)))?;
        let moments = match &optimizer {
            None => None,
            Some(optimizer) => {
                optimizer.validate()?;
                Some(Moments::new(context, optimizer, groups, &spans, len)?)
            }
        };
        let state = State {
            context: context.clone(),
            model: model.clone(),
            optimizer,
            groups: groups.clone(),
            parameters: flat("parameters", buffers.parameters)?,
            gradient: flat("gradient", buffers.gradient)?,
            diagonal: flat("diagonal", buffers.diagonal)?,
            moments,
            noise: Tensor::new("noise", &context.storage("noise", noise::WORDS)?, 0, &[noise::WORDS]),
            statistics: {
                let len = model.statistics_len().max(64);
                Tensor::new("statistics", &context.storage("statistics", len)?, 0, &[len])
            },
        };
        check_roles(state.roles())?;
        state.set_noise(Noise::default())?;
        state.write_statistics(&model.statistics())?;
        state.write_numbers(true)?;
        Ok(state)
    }

    /// Whose device it lives on.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The optimiser, at its present learning rate and limits.
    pub fn optimizer(&self) -> Option<&Optimizer> {
        self.optimizer.as_ref()
    }

    /// The groups of parameters.
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    /// All parameters, flat.
    pub fn parameters(&self) -> &Tensor {
        &self.parameters
    }

    /// The gradient, flat, as the last recorded backward pass left it.
    pub fn gradient(&self) -> &Tensor {
        &self.gradient
    }

    /// The Hessian diagonal, flat, as the last recorded backward pass with curvature left it.
    pub fn diagonal(&self) -> &Tensor {
        &self.diagonal
    }

    /// First moment (or SGD's momentum buffer) and second moment, flat, where there is an optimiser that keeps them.
    pub fn moments(&self) -> (Option<&Tensor>, Option<&Tensor>) {
        (self.moments.as_ref().map(|m| &m.first), self.moments.as_ref().and_then(|m| m.second.as_ref()))
    }

    /// The mean of the parameters, flat, where the optimiser keeps one ([`Optimizer::average`]). It begins where they are written.
    pub fn average(&self) -> Option<&Tensor> {
        self.moments.as_ref().and_then(|moments| moments.average.as_ref())
    }

    /// Whether training has diverged: one word, a `u32` by its bits, that a host reads together with the loss and gives to
    /// [`State::check_divergence`]. The optimiser's kernels set it when a parameter or a second moment that they write is NaN or
    /// infinite, and it stays until parameters or moments are written anew ([`State::write_parameters`]). `None` without an
    /// optimiser.
    pub fn divergence(&self) -> Option<&Tensor> {
        self.moments.as_ref().map(|moments| &moments.diverged)
    }

    /// What a word read from [`State::divergence`] says.
    ///
    /// # Errors
    /// [`Error::Diverged`], with the first step that left a parameter or a second moment not finite; SGD counts no steps.
    pub fn check_divergence(word: f32) -> Result<()> {
        match word.to_bits() {
            0 => Ok(()),
            word => {
                let what = "a parameter or what the optimiser keeps";
                Err(Error::Diverged { what, step: Hyper::diverged_at(word) })
            }
        }
    }

    /// Reads [`State::divergence`] and says what it says. Waits for the GPU.
    ///
    /// # Errors
    /// As [`State::check_divergence`]; [`Error::Device`].
    pub fn read_divergence(&self) -> Result<()> {
        let Some(word) = self.divergence() else { return Ok(()) };
        State::check_divergence(self.context.read_blocking(&[word])?[0][0])
    }

    fn clear_divergence(&self) -> Result<()> {
        self.divergence().map_or(Ok(()), |word| self.context.write_bytes(word, &[0; 4]))
    }

    /// The running statistics of batch normalisations, flat: see [`RunningStatistics`](crate::model::RunningStatistics). They begin
    /// as the model's; every recorded backward pass moves them to those of its batch, and plans for inference predict by them.
    pub fn statistics(&self) -> &Tensor {
        &self.statistics
    }

    /// Writes them ([`Model::statistics_len`] numbers); they arrive before the commands of the next submission.
    ///
    /// # Errors
    /// Those of [`Model::check_statistics`].
    pub fn write_statistics(&self, flat: &[f32]) -> Result<()> {
        self.model.check_statistics(flat)?;
        if flat.is_empty() { Ok(()) } else { self.context.write(&self.statistics, flat) }
    }

    /// Seed and step of random numbers: two `u32` by their bits. Every recorded backward pass of a model with dropout, or of a plan in
    /// a mode that [is sampled](crate::Mode::is_sampled), counts the step on by one; see [`Noise`].
    pub fn noise_words(&self) -> &Tensor {
        &self.noise
    }

    /// Sets which random numbers dropout and HesScale-S draw, before the commands of the next submission. Both start at 0.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub fn set_noise(&self, noise: Noise) -> Result<()> {
        self.context.write_bytes(&self.noise, bytemuck::cast_slice(&[noise.seed, noise.step, 0, 0]))
    }

    pub(super) fn roles(&self) -> impl Iterator<Item = (&str, &Buffer)> {
        let moments = self.moments.as_ref().map(|moments| &moments.memory);
        let tensors = [&self.parameters, &self.gradient, &self.diagonal, &self.noise, &self.statistics];
        let tensors = tensors.into_iter().chain(moments);
        tensors.map(|tensor| (tensor.name(), tensor.owned()))
    }

    /// Bytes of all its buffers that grow with the model.
    pub(super) fn bytes(&self) -> u64 {
        let moments = self.moments.as_ref();
        let moments =
            moments.into_iter().flat_map(|m| [Some(&m.first), m.second.as_ref(), m.average.as_ref()]);
        let moments = moments.flatten();
        let flat = [&self.parameters, &self.gradient, &self.diagonal].into_iter().chain(moments);
        flat.map(|tensor| 4 * tensor.len() as u64).sum()
    }

    pub(crate) fn optimizer_state(&self) -> Option<&Moments> {
        self.moments.as_ref()
    }

    /// Moments and counts as the reference keeps them; what this optimiser does not keep is zero. Waits for the GPU.
    #[cfg(feature = "train")]
    pub(crate) fn read_memory(&self) -> Result<OptimizerState<f32>> {
        let len = self.model.flat_len();
        let mut memory = OptimizerState::zeroed(len)?;
        let Some(moments) = &self.moments else { return Ok(memory) };
        let tensors = [&moments.counters, &moments.first].into_iter().chain(&moments.second);
        let tensors: Vec<&Tensor> = tensors.chain(&moments.average).collect();
        let mut read = self.context.read_blocking(&tensors)?;
        if moments.average.is_some() {
            memory.average = read.pop().unwrap_or_default();
            memory.average.truncate(len);
        }
        let mut read = read.into_iter();
        if let Some([step, curvature_steps, ..]) = read.next().as_deref() {
            memory.step = step.to_bits().into();
            memory.curvature_steps = curvature_steps.to_bits().into();
        }
        for (moment, values) in [&mut memory.m, &mut memory.v].into_iter().zip(read) {
            moment.copy_from_slice(&values[..len]);
        }
        Ok(memory)
    }

    /// Writes moments and counts of this model's length; they arrive before the commands of the next submission.
    #[cfg(feature = "train")]
    pub(crate) fn write_memory(&self, memory: &OptimizerState<f32>) -> Result<()> {
        let Some(moments) = &self.moments else { return Ok(()) };
        self.clear_divergence()?;
        let write = |tensor: &Tensor, values: &[f32]| match values {
            [] => Ok(()),
            values => self.context.write_bytes(tensor, bytemuck::cast_slice(values)),
        };
        write(&moments.first, &memory.m)?;
        if let Some(second) = &moments.second {
            write(second, &memory.v)?;
        }
        if let Some(average) = &moments.average {
            write(average, &memory.average)?;
        }
        // Each step works out the bias corrections behind the counts anew.
        let counts =
            [memory.step, memory.curvature_steps].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        self.context.write_bytes(&moments.counters, bytemuck::cast_slice(&counts))
    }

    /// One parameter's part of a flat tensor of this state: `state.part(state.gradient(), &model.parameters()[0])`.
    ///
    /// # Errors
    /// [`Error::Foreign`] for a tensor that is none of this state's flat ones, and for a parameter of another model.
    pub fn part(&self, flat: &Tensor, parameter: &Parameter) -> Result<Tensor> {
        let (first, second) = self.moments();
        let passes = [&self.parameters, &self.gradient, &self.diagonal].into_iter();
        let mut known = passes.chain(first).chain(second).chain(self.average());
        if !known.any(|known| known.is(flat)) {
            return Err(Error::Foreign { what: "tensor", owner: "state" });
        }
        if !self.model.parameters().contains(parameter) {
            return Err(Error::Foreign { what: "parameter", owner: "model" });
        }
        Ok(State::slice(flat, parameter))
    }

    /// The same without checks.
    pub(super) fn slice(flat: &Tensor, parameter: &Parameter) -> Tensor {
        // A moment does not begin where its buffer does.
        let begin = (flat.bytes().start / 4) as usize;
        Tensor::new(parameter.name(), flat.owned(), begin + parameter.offset, &parameter.shape)
    }

    /// Writes all parameters, flat (`model.flat_len()` numbers); they arrive before the commands of the next submission.
    ///
    /// # Errors
    /// [`Error::Length`]; [`Error::NotFinite`] where the context checks.
    pub fn write_parameters(&self, flat: &[f32]) -> Result<()> {
        let needed = self.model.flat_len();
        Error::check_length("parameters", flat.len(), needed)?;
        if needed == 0 {
            return Ok(());
        }
        self.context.write(&self.parameters, flat)?;
        self.average()
            .map_or(Ok(()), |average| self.context.write_bytes(average, bytemuck::cast_slice(flat)))?;
        self.clear_divergence()
    }

    /// Changes the learning rate, for every step that has not been submitted yet. Nothing is rebuilt.
    ///
    /// # Errors
    /// [`Error::Value`] for NaN, infinity or a negative rate; [`Error::NotPlanned`] without an optimiser.
    pub fn set_learning_rate(&mut self, learning_rate: f32) -> Result<()> {
        let Some(optimizer) = self.optimizer else {
            return Err(Error::not_planned("a learning rate", "State::new, with an optimiser"));
        };
        self.change(optimizer.learning_rate(learning_rate))
    }

    /// Changes the numbers of the optimiser's limits, for every step that has not been submitted yet. Nothing is rebuilt, so a
    /// limit stays the kind that it was when the state was made.
    ///
    /// # Errors
    /// [`Error::Value`] for a limit that is not finite or not positive; [`Error::NotPlanned`] without an optimiser, and for limits
    /// where it has none, or none where it has some.
    pub fn set_limits(&mut self, limits: Limits) -> Result<()> {
        let Some(optimizer) = self.optimizer else {
            return Err(Error::not_planned("limits", "State::new, with an optimiser"));
        };
        optimizer.limits.check_kinds(&limits)?;
        self.change(optimizer.limits(limits))
    }

    /// Says of the next step of [`Rule::ObGd`](crate::model::Rule::ObGd) what the environment does, for every step that has not been
    /// submitted yet. Nothing is rebuilt, and nothing is waited for.
    ///
    /// # Errors
    /// [`Error::Setting`] for another rule; [`Error::Value`] for an error that is not finite; [`Error::NotPlanned`] without an
    /// optimiser.
    pub fn set_transition(&mut self, transition: Transition) -> Result<()> {
        let Some(optimizer) = self.optimizer else {
            return Err(Error::not_planned("a transition", "State::new, with an optimiser"));
        };
        self.change(optimizer.transition(transition))
    }

    /// A learning rate that stays as it is is not written again.
    fn change(&mut self, optimizer: Optimizer) -> Result<()> {
        optimizer.validate()?;
        let before = self.optimizer.replace(optimizer);
        let words = LimitWords::new(&optimizer);
        let limits = before.is_none_or(|before| LimitWords::new(&before) != words);
        match before == Some(optimizer) {
            true => Ok(()),
            false => self.write_numbers(limits),
        }
    }

    /// What the host decides of the optimiser, its limits only if they are asked for.
    fn write_numbers(&self, limits: bool) -> Result<()> {
        let (Some(optimizer), Some(moments)) = (&self.optimizer, &self.moments) else { return Ok(()) };
        self.context.write_bytes(&moments.hyper, bytemuck::bytes_of(&Hyper::new(optimizer)))?;
        let Some(words) = moments.limits.as_ref().filter(|_| limits) else { return Ok(()) };
        self.context.write_bytes(words, bytemuck::bytes_of(&LimitWords::new(optimizer)))
    }
}

/// Checks a buffer of the host's for `len` elements.
fn given_buffer(context: &Context, name: &str, buffer: &wgpu::Buffer, len: usize) -> Result<Buffer> {
    let needed = 4 * len as u64;
    if buffer.size() < needed {
        return Err(Error::BufferSize { buffer: name.into(), got: buffer.size(), needed });
    }
    context.adopt_storage(name, buffer, needed)
}
