//! Puts the text together: a function for each layer, and one that calls them.

use super::body::Body;
use super::functions::Functions;
use super::layers::{self, Windows};
use super::numbers::Numbers;
use super::{Options, Weights, places};
use crate::model::{Activation, Layer, Model, Node, NodeKind, Role, Source};
use crate::plug::{Word, declarations, words};
use crate::{Error, Result};
use std::fmt::{Arguments, Write};

/// Numbers that a layer's function may hold: WGSL promises 8,192 bytes of variables in a function.
const NUMBERS: u64 = 8192 / 4;

/// Most iterations of all loops of a call: llvmpipe leaves a loop when an invocation has gone round as often.
const ITERATIONS: u64 = 65_535;

/// Most terms of a layer without loops: of dense layers 65,536 weights.
const TERMS: usize = 1 << 14;

/// Terms that an activation counts for.
const ACTIVATION: usize = 16;

pub(super) struct Writer<'a> {
    model: &'a Model,
    options: &'a Options<'a>,
    functions: Functions<'a>,
    /// Their functions.
    layers: String,
    /// Of all loops, in one call.
    iterations: u64,
}

/// A node and the numbers that it works on.
struct Place<'a> {
    node: &'a Node,
    /// As errors and the text name it.
    name: String,
    /// What its function is called.
    function: String,
    /// The shape of its first input.
    input: &'a [usize],
    /// Numbers of each input.
    lens: Vec<usize>,
    weight: Option<Numbers<'a>>,
    bias: Option<Numbers<'a>>,
    /// Of a batch normalisation: means and inverse deviations.
    statistics: Option<[Numbers<'a>; 2]>,
}

impl Place<'_> {
    /// Numbers that its function keeps beside inputs and outputs.
    fn between(&self) -> Result<usize> {
        let NodeKind::Layer(layer) = &self.node.kind else { return Ok(0) };
        let heads = layer.heads(&self.name, self.input)?.map(|heads| heads.positions + 3);
        let states =
            layer.recurrence(&self.name, self.input)?.map(|layer| (1 + layer.cell.states()) * layer.hidden);
        Ok(heads.or(states).unwrap_or(0))
    }
}

impl<'a> Writer<'a> {
    pub(super) fn new(model: &'a Model, options: &'a Options<'a>) -> Writer<'a> {
        let functions = Functions::new(&options.name);
        Writer { model, options, functions, layers: String::new(), iterations: 0 }
    }

    pub(super) fn write(mut self) -> Result<String> {
        let (model, name) = (self.model, &self.options.name);
        let (mut list, mut calls) = (String::new(), String::new());
        // What each node's value is called.
        let mut values: Vec<String> = Vec::with_capacity(model.nodes().len());
        for (index, node) in model.nodes().iter().enumerate() {
            let given = node.inputs.iter().map(|source| match source {
                Source::Input => "x",
                Source::Node(index) => &values[*index],
            });
            let given: Vec<&str> = given.collect();
            let place = self.place(index, node);
            let formula = self.function(&place)?;
            let shape = format!("{:?}", node.shape);
            let (what, value) = match formula {
                None => ("the same numbers", given[0].to_owned()),
                Some(formula) => {
                    line(
                        &mut calls,
                        format_args!("    let z{index} = {}({});", place.function, given.join(", ")),
                    );
                    (formula, format!("z{index}"))
                }
            };
            line(&mut list, format_args!("//     {:24} {shape:16} {what}", place.name));
            values.push(value);
        }
        if self.iterations > ITERATIONS {
            return Err(too_many("the network", "iterations of loops", self.iterations, ITERATIONS));
        }
        let [inputs, outputs] = [model.inputs(), model.outputs()];
        let mut text = String::new();
        line(
            &mut text,
            format_args!("// {name}(x), a network, of x of shape {:?}:\n//\n{list}//", model.input_shape()),
        );
        line(&mut text, format_args!("// Written by hesscale. {} {}", self.source(), self.effort()));
        text += &self.buffer();
        line(&mut text, format_args!("\nfn {name}(x: array<f32, {inputs}>) -> array<f32, {outputs}> {{"));
        let result = values.last().map_or("x", String::as_str);
        line(&mut text, format_args!("{calls}    return {result};\n}}"));
        Ok(text + &self.layers + &self.functions.text())
    }

    /// Where the parameters are.
    fn source(&self) -> String {
        match self.options.weights {
            Weights::Constants(_) => "Its parameters are constants.".into(),
            Weights::Storage { group, binding, half } => {
                let how = if half { " as f16, two in a word," } else { "" };
                format!(
                    "Its parameters, in the flat layout,{how} are bound at group {group}, binding {binding}."
                )
            }
        }
    }

    fn effort(&self) -> String {
        let effort = match self.iterations {
            0 => "It has no loops.".into(),
            iterations => format!("Its loops go round {iterations} times a call."),
        };
        let loops = own_words(self.model).any(|word| ["for", "while", "loop"].contains(&word.text));
        if loops { effort + " Those of the user's own activations do not count." } else { effort }
    }

    /// The binding, where there are parameters in a buffer, and what reads four of them.
    fn buffer(&self) -> String {
        let (name, Weights::Storage { group, binding, half }) = (&self.options.name, self.options.weights)
        else {
            return String::new();
        };
        if self.model.flat_len() == 0 {
            return String::new();
        }
        let of = if half { "vec2<u32>" } else { "vec4<f32>" };
        let mut text = format!(
            "\n@group({group}) @binding({binding}) var<storage, read> {name}_parameters: array<{of}>;\n"
        );
        if half {
            line(&mut text, format_args!("\nfn {name}_four(i: u32) -> vec4<f32> {{"));
            line(&mut text, format_args!("    let words = {name}_parameters[i];"));
            line(
                &mut text,
                format_args!("    return vec4(unpack2x16float(words.x), unpack2x16float(words.y));\n}}"),
            );
        }
        text
    }

    fn place(&self, index: usize, node: &'a Node) -> Place<'a> {
        let (model, prefix) = (self.model, &self.options.name);
        let name = node.name();
        let function = format!("{prefix}_{}", name.replace([' ', '.'], "_"));
        let numbers = |role: Role| {
            let p = model.parameter_of(index, role)?;
            Some(match self.options.weights {
                Weights::Constants(values) => Numbers::Known(values[p.range()].into()),
                Weights::Storage { half: false, .. } => {
                    Numbers::Stored { read: [format!("{prefix}_parameters["), "]".into()], first: p.offset }
                }
                Weights::Storage { half: true, .. } => {
                    Numbers::Stored { read: [format!("{prefix}_four("), ")".into()], first: p.offset }
                }
            })
        };
        let (weight, bias) = (numbers(Role::Weight), numbers(Role::Bias));
        let statistics = match &node.kind {
            NodeKind::Layer(Layer::BatchNorm(norm)) => {
                let inverse: Vec<f32> = norm.inverse_deviations().map(|inverse| inverse as f32).collect();
                Some([(&norm.mean).into(), inverse.into()].map(Numbers::Known))
            }
            _ => None,
        };
        let lens = node.inputs.iter().map(|source| model.shape_at(*source).iter().product()).collect();
        let input = model.shape_at(node.inputs[0]);
        Place { node, name, function, input, lens, weight, bias, statistics }
    }

    /// Writes a node's function and returns its formula; of one that leaves all numbers as they are, nothing.
    fn function(&mut self, place: &Place<'a>) -> Result<Option<&'static str>> {
        if let NodeKind::Layer(layer) = &place.node.kind
            && (layer.passes_on() || matches!(layer, Layer::Dropout { .. }))
        {
            return Ok(None);
        }
        let given: &[&str] = if place.node.inputs.len() == 2 { &["x", "y"] } else { &["x"] };
        let (len, outputs) = (place.lens[0], place.node.shape.iter().product::<usize>());
        let numbers = (place.lens.iter().sum::<usize>() + outputs + place.between()?) as u64;
        if numbers > NUMBERS {
            return Err(too_many(&place.name, "inputs, outputs and what is between", numbers, NUMBERS));
        }
        let (body, formula) = self.statements(place, len, outputs)?;
        // A place that is computed needs a variable.
        let unrolled = body.is_unrolled();
        let names = given.iter().map(|x| if unrolled { (*x).to_owned() } else { format!("given_{x}") });
        let arguments = names.zip(&place.lens).map(|(x, len)| format!("{x}: array<f32, {len}>"));
        let arguments: Vec<String> = arguments.collect();
        let mut text =
            format!("\n// {}: {formula}\nfn {}({})", place.name, place.function, arguments.join(", "));
        line(&mut text, format_args!(" -> array<f32, {outputs}> {{"));
        for x in given.iter().filter(|_| !unrolled) {
            line(&mut text, format_args!("    var {x} = given_{x};"));
        }
        let (statements, iterations) = body.finish();
        line(&mut text, format_args!("    var z = array<f32, {outputs}>();\n{statements}    return z;\n}}"));
        self.layers += &text;
        self.iterations = self.iterations.saturating_add(iterations);
        Ok(Some(formula))
    }

    fn statements(&mut self, place: &Place<'a>, len: usize, outputs: usize) -> Result<(Body, &'static str)> {
        let Place { node, name, input, weight, bias, statistics, .. } = place;
        let (weight, bias, functions) = (weight.as_ref(), bias.as_ref(), &mut self.functions);
        let constants = matches!(self.options.weights, Weights::Constants(_));
        let unroll = if constants { TERMS } else { self.options.unroll.min(TERMS) };
        let body = |factors: &[usize]| {
            let terms = factors.iter().fold(1_usize, |terms, factor| terms.saturating_mul(*factor));
            if constants && terms > TERMS {
                return Err(too_many(name, "terms with constants", terms as u64, TERMS as u64));
            }
            Ok(Body::new(terms <= unroll))
        };
        let layer = match &node.kind {
            NodeKind::Tangent(_) | NodeKind::Scale => unreachable!("no model of the user's has one"),
            NodeKind::Add | NodeKind::Layer(Layer::Add { .. }) => {
                let mut body = body(&[len])?;
                layers::add(&mut body, len);
                return Ok((body, "z = x + y"));
            }
            NodeKind::Layer(layer) => layer,
        };
        if let Some(conv) = layer.convolution(name, input)? {
            let weight = weight.expect("a convolution has a weight");
            let places = if conv.transposed { len } else { outputs };
            let channels = if conv.transposed { conv.outputs } else { conv.inputs } / conv.groups;
            let mut body = body(&[places, channels, conv.window.taps()])?;
            return Ok(if conv.transposed {
                layers::transposed(&mut body, &conv, weight, bias);
                (body, "z = W x + b, a transposed convolution")
            } else {
                layers::convolution(&mut body, &conv, weight, bias);
                (body, "z = W x + b, a convolution")
            });
        }
        if let Some(norm) = layer.normalization(name, input)? {
            let mut body = body(&[3, len])?;
            layers::norm(&mut body, &norm, weight, bias, functions);
            let formula = "z = gamma (x - mean) / sqrt(var + eps) + beta";
            return Ok((body, if norm.centred { formula } else { "z = gamma x / sqrt(mean of x^2 + eps)" }));
        }
        if let Some(resampling) = layer.resampling(name, input)? {
            // Its weights stand in the text.
            let mut body = Body::new(true);
            places::resample(&mut body, input[0], &resampling);
            return Ok((body, "z = A x B of each channel"));
        }
        if let Some(recurrence) = layer.recurrence(name, input)? {
            let mut body = body(&[recurrence.positions, recurrence.channels(), recurrence.hidden])?;
            let weight = weight.expect("a recurrent layer has a weight");
            places::recurrent(&mut body, &recurrence, weight, bias, functions);
            return Ok((body, "z = the state h, which goes on from position to position"));
        }
        if let Some(heads) = layer.heads(name, input)? {
            let mut body = body(&[heads.weights(), 2 * heads.width + 1])?;
            places::attention(&mut body, &heads, functions);
            return Ok((body, "z = softmax(q k / sqrt(width)) v of each head"));
        }
        let windows = match (layer, layer.pooling(name, input)?) {
            (_, Some(window)) => Some(Windows::sliding(&window)),
            (Layer::AdaptiveAvgPool2d { output }, _) => {
                Some(Windows::adaptive([input[1], input[2]], *output))
            }
            _ => None,
        };
        if let Some(windows) = windows {
            let [rows, columns] = windows.largest();
            let mut body = body(&[outputs, rows, columns])?;
            if let (Layer::AvgPool2d(pool), Some(window)) = (layer, layer.pooling(name, input)?) {
                let last = window.positions.map(|positions| positions - 1);
                if pool.count_include_pad && window.elements(last) < window.taps() {
                    let what = "an average over windows past the end, padding counted, as a function in WGSL";
                    return Err(Error::unsupported(name, what));
                }
            }
            let divisor = match layer {
                Layer::MaxPool2d(_) => {
                    windows.maximum(&mut body, input[0], functions);
                    return Ok((body, "z = max x of each window"));
                }
                Layer::AvgPool2d(pool) if pool.count_include_pad => Some(pool.kernel.iter().product()),
                _ => None,
            };
            windows.mean(&mut body, input[0], divisor);
            return Ok((body, "z = mean x of each window"));
        }
        match (layer, weight, bias, statistics) {
            (Layer::Dense { inputs, .. }, Some(weight), bias, _) => {
                let mut body = body(&[outputs, inputs.div_ceil(4)])?;
                layers::dense(&mut body, *inputs, outputs, weight, bias);
                Ok((body, "z = W x + b"))
            }
            (Layer::Act(activation), ..) => {
                let mut body = body(&[ACTIVATION, len])?;
                layers::activation(&mut body, len, *activation, functions);
                Ok((body, "z = f(x)"))
            }
            (Layer::Multiply { .. }, ..) => {
                let mut body = body(&[len])?;
                layers::multiply(&mut body, len);
                Ok((body, "z = x y"))
            }
            (Layer::Concat { .. }, ..) => {
                let mut body = body(&[outputs])?;
                places::concat(&mut body, [len, outputs - len]);
                Ok((body, "z = x, and behind it y"))
            }
            (Layer::PixelShuffle { factor } | Layer::PixelUnshuffle { factor }, ..) => {
                let to_channels = matches!(layer, Layer::PixelUnshuffle { .. });
                let [small, large] =
                    if to_channels { [&node.shape[..], input] } else { [input, &node.shape[..]] };
                let mut body = body(&[outputs])?;
                places::pixel_shuffle(&mut body, [large[0], small[1], small[2]], *factor, to_channels);
                Ok((body, "z = x, the pixels of a block as channels or the other way round"))
            }
            (Layer::Embedding(_) | Layer::HashGrid(_), ..) if constants => {
                Err(Error::unsupported(name, "a table of constants as a function in WGSL"))
            }
            (Layer::HashGrid(grid), Some(weight), ..) => {
                let mut body = Body::new(true);
                places::hash_grid(&mut body, grid, len, weight, functions);
                Ok((body, "z = shares of the rows of W at the corners around x"))
            }
            (Layer::Embedding(table), Some(weight), ..) => {
                let mut body = body(&[outputs])?;
                places::embedding(&mut body, table, len, weight, functions);
                Ok((body, "z = the row of W that x selects"))
            }
            (Layer::PositionEmbedding(_), Some(weight), ..) => {
                let mut body = body(&[len])?;
                layers::positions(&mut body, len, weight);
                Ok((body, "z = x + W"))
            }
            (Layer::FrequencyEncoding { octaves }, ..) => {
                let mut body = body(&[2 * octaves, len])?;
                layers::frequencies(&mut body, [input[0], len / input[0]], *octaves, functions);
                Ok((body, "z = sin, cos of 2^j pi x"))
            }
            (Layer::OneBlob { bins }, ..) => {
                let mut body = body(&[*bins, len])?;
                layers::one_blob(&mut body, [input[0], len / input[0]], *bins, functions);
                Ok((body, "z = exp(-(bins x - k - 1/2)^2 / 2)"))
            }
            (Layer::PRelu(prelu), Some(slopes), ..) => {
                let mut body = body(&[len])?;
                let channels = node.shape[0];
                layers::prelu(&mut body, [channels, len / channels], prelu.slopes > 1, slopes);
                Ok((body, "z = x above 0, else w x"))
            }
            (Layer::BatchNorm(_), Some(gamma), Some(beta), Some([mean, inverse])) => {
                // Its statistics stand in the text.
                let mut body = Body::new(true);
                layers::batch_norm(&mut body, [input[0], len / input[0]], [mean, inverse, gamma, beta]);
                Ok((body, "z = gamma (x - mean) / sqrt(var + eps) + beta"))
            }
            (Layer::ZeroPad2d { padding }, ..) => {
                let mut body = body(&[len])?;
                layers::zero_pad(&mut body, input[0], [input[1], input[2]], *padding);
                Ok((body, "z = x with zeros around it"))
            }
            _ => Err(Error::unsupported(name, format!("{} as a function in WGSL", layer.kind()))),
        }
    }
}

/// The words of the user's own activations, without those that they declare.
pub(super) fn own_words(model: &Model) -> impl Iterator<Item = Word<'static>> {
    let activations = model.nodes().iter().filter_map(|node| match node.kind {
        NodeKind::Layer(Layer::Act(Activation::Custom(custom))) => Some(custom.shader()),
        _ => None,
    });
    activations.flat_map(|text| {
        let declared: Vec<&str> = declarations(text).map(|word| word.text).collect();
        words(text).filter(move |word| !declared.contains(&word.text))
    })
}

fn line(text: &mut String, line: Arguments<'_>) {
    writeln!(text, "{line}").expect("a String takes every write");
}

fn too_many(place: &str, what: &'static str, got: u64, most: u64) -> Error {
    Error::Function { place: place.into(), what, got, most }
}
