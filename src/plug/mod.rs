//! WGSL of the user's own that becomes part of the crate's shaders. It is checked when it is given, so that an error points into it:
//! it sees nothing but a library, and no shader's own names; those that it declares get a prefix, so that they are no shader's either.

mod words;

pub(crate) use words::{Word, words};

use crate::{Error, Result};
use naga::valid::{Capabilities, ShaderStages, ValidationFlags, Validator};
use naga::{AddressSpace, Expression, Handle, Span, Statement};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// Bytes of a text.
const LONGEST: usize = 1 << 16;

/// Operators of one expression, and branches of one `if`: compilers call themselves for each, and a stack may be small. Brackets
/// and blocks within each other naga counts itself.
const DEEPEST: usize = 256;

/// Bytes of all variables that a text keeps at module scope, and of those of each function with all that it calls: half of what WGSL
/// promises a shader, for the crate has some of its own.
const MOST_BYTES: u64 = 4096;

/// Bodies of functions, each as often as it is called, that compilers may put in the place of calls.
const MOST_BODIES: u64 = 4096;

/// Ends the name of a constant in a text that reads at places which it computes: the pipeline that it is part of is made with wgpu's
/// run-time checks. A constant and no comment, for it goes wherever declarations do.
pub(crate) const INDEXES: &str = "reads_at_computed_places";

/// Functions that every text may call.
const MATH: &str = include_str!("../../shaders/lib/math.wgsl");

/// What a text must declare, and what it may use.
#[derive(Debug)]
pub(crate) struct Interface {
    /// What it is, in errors.
    pub what: &'static str,
    /// Before all names that it declares.
    pub prefix: &'static str,
    /// WGSL that stands for the shader's: what the text may use beside [`MATH`].
    pub library: &'static str,
    /// Functions by their names, and the types that they have.
    pub functions: &'static [Function],
    /// A type that the functions name.
    pub row: Option<&'static str>,
    /// Functions of the library that read at a place of the row.
    pub reads: &'static [&'static str],
}

#[derive(Debug)]
pub(crate) struct Function {
    pub name: &'static str,
    /// Parameters and result: `(a: f32) -> f32`.
    pub types: &'static str,
    pub result: &'static str,
}

/// A text that has been checked.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Plug {
    what: &'static str,
    name: String,
    wgsl: String,
    shader: String,
    reads: Vec<Read>,
}

/// A read at a constant place of a row, whose end is not known to the text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Read {
    /// The function that reads: one of [`Interface::reads`].
    by: &'static str,
    at: u32,
    /// Where it is called, in bytes of the text.
    place: Option<usize>,
}

impl fmt::Debug for Plug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Plug {
    pub(crate) fn new(interface: &Interface, name: &str, wgsl: &str) -> Result<Plug> {
        let (shader, reads) = Check { interface, name, wgsl }.shader()?;
        Ok(Plug { what: interface.what, name: name.into(), wgsl: wgsl.into(), shader, reads })
    }

    /// Refuses a read at a constant place past the end: there are `len` numbers to be read `by` this function, which are `of` a row.
    pub(crate) fn check_reads(&self, by: &str, len: usize, of: &str) -> Result<()> {
        match self.reads.iter().find(|read| read.by == by && read.at as usize >= len) {
            Some(Read { at, place, .. }) => {
                let problem = format!("`{by}({at}u)` reads past the row's end: it has {len} {of}");
                Err(wrong(self.what, &self.name, &self.wgsl, *place, problem))
            }
            None => Ok(()),
        }
    }

    /// The same with more of a shader behind it.
    pub(crate) fn followed_by(mut self, shader: &str) -> Plug {
        self.shader += shader;
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// As it was given.
    pub(crate) fn wgsl(&self) -> &str {
        &self.wgsl
    }

    /// As shaders have it: with a comment before it, as [`compose`](crate::shader) wants of a text.
    pub(crate) fn shader(&self) -> &str {
        &self.shader
    }
}

/// Where an expression has too many operators, or an `if` too many branches.
fn too_deep(code: &str) -> Option<usize> {
    let mut operators = 0;
    let deep = |(at, c): (usize, char)| {
        match c {
            ';' | ',' | '{' | '}' => operators = 0,
            '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^' | '~' | '!' | '<' | '>' | '=' | '.' | '[' => {
                operators += 1
            }
            _ => {}
        }
        (operators > DEEPEST).then_some(at)
    };
    // `if`s that each stand behind the `else` of another, by the depth that they stand at.
    let mut chains = BTreeMap::new();
    let long = |word: Word<'_>| {
        if word.text != "if" {
            return None;
        }
        let is_behind = code[..word.at].trim_end().ends_with("else");
        let chain = chains.entry(word.depth).or_insert(0);
        *chain = if is_behind { *chain + 1 } else { 0 };
        (*chain > DEEPEST).then_some(word.at)
    };
    code.char_indices().find_map(deep).or_else(|| words(code).find_map(long))
}

struct Check<'a> {
    interface: &'a Interface,
    name: &'a str,
    wgsl: &'a str,
}

impl Check<'_> {
    /// The text as shaders have it, if nothing is wrong with it, and where it reads.
    fn shader(&self) -> Result<(String, Vec<Read>)> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(is_part) {
            return Err(self.wrong(None, "a name is 1 to 64 letters, digits and underscores"));
        }
        if self.wgsl.len() > LONGEST {
            let problem = format!("the text has {} bytes; it may have {LONGEST}", self.wgsl.len());
            return Err(self.wrong(None, problem));
        }
        let code = without_comments(self.wgsl);
        if let Some(at) = code.find(|c: char| !c.is_ascii()) {
            return Err(self.wrong(Some(at), "outside comments there may be ASCII only"));
        }
        if let Some(at) = too_deep(&code) {
            let problem = format!("more than {DEEPEST} operators in one expression, or branches in one `if`");
            return Err(self.wrong(Some(at), problem));
        }
        // It would belong to what the library has behind the text.
        let end = code.rfind([';', '}']).map_or(0, |at| at + 1);
        let rest = code[end..].trim();
        if rest.starts_with('@') {
            let at = code.len() - code[end..].trim_start().len();
            return Err(self.wrong(Some(at), format!("`{rest}` stands before nothing")));
        }
        let declared = self.declared(&code)?;
        let (indexes, reads) = self.validate(&code, &declared)?;
        let renamed = renamed(&code, |name| {
            declared.iter().any(|d| d.text == name).then(|| format!("{}{name}", self.interface.prefix))
        });
        // What has another meaning in another place is another word to this module's tokens.
        let whole = format!("{renamed}\n{MATH}\n{}", self.interface.library);
        if naga::front::wgsl::parse_str(&whole).is_err() {
            return Err(self.wrong(None, "one of the names that it declares is also a word of WGSL"));
        }
        let Interface { what, prefix, .. } = self.interface;
        let mark = if indexes { format!("\nconst {prefix}{INDEXES} = true;\n") } else { String::new() };
        let text = without_blanks(renamed.trim());
        Ok((format!("// {what} `{}`: the user's own.\n{text}\n{mark}", self.name), reads))
    }

    /// The names that it declares at module scope, none of which means something to the library.
    fn declared<'c>(&self, code: &'c str) -> Result<Vec<Word<'c>>> {
        let library = [MATH, self.interface.library];
        let own: Vec<&str> =
            library.iter().flat_map(|text| declarations(text)).map(|word| word.text).collect();
        // Functions and types of WGSL that it would take from the library.
        let is_used = |name: &str| {
            let mut words = words(MATH).filter(|word| word.text == name);
            words.any(|word| {
                let (before, behind) = (&MATH[..word.at], &MATH[word.at + name.len()..]);
                let is_type = [": ", "-> ", "<"].iter().any(|mark| before.ends_with(mark));
                is_type || behind.starts_with(['(', '<'])
            })
        };
        for word in words(code) {
            let problem = match word.text {
                "enable" | "requires" | "diagnostic" if word.depth == 0 => "directives are the library's",
                "workgroupBarrier" | "storageBarrier" | "textureBarrier" | "subgroupBarrier" => {
                    "a barrier is for all invocations of a workgroup, which need not all come here"
                }
                _ => continue,
            };
            return Err(self.wrong(Some(word.at), format!("`{}`: {problem}", word.text)));
        }
        let declared: Vec<Word<'_>> = declarations(code).collect();
        for word in &declared {
            let name = word.text;
            if own.contains(&name) || is_used(name) || name.starts_with(STUB) || name == INDEXES {
                return Err(self.wrong(Some(word.at), format!("`{name}` is a name that the library has")));
            }
        }
        Ok(declared)
    }

    /// Whether it reads its own arrays at places that it computes; where it reads the row at constant ones.
    fn validate(&self, code: &str, declared: &[Word<'_>]) -> Result<(bool, Vec<Read>)> {
        let functions = self.interface.functions;
        let names = functions.iter().map(|f| f.name).chain(self.interface.row);
        let missing: Vec<String> = names
            .filter(|name| declared.iter().all(|d| d.text != *name))
            .map(|name| self.form(name))
            .collect();
        // Each function once more, to be of the same types.
        let mut library = format!("\n{MATH}\n{}\n", self.interface.library);
        if missing.is_empty() {
            for Function { name, types, result } in functions {
                library += &format!("fn {STUB}{name}{types} {{ return {result}(); }}\n");
            }
            if let Some(row) = self.interface.row {
                library += &format!("var<private> {STUB}row: {row};\n");
            }
        }
        // Where a struct is declared all types so far get a layout, as in a whole shader: also those of values that are no variables and
        // are not kept.
        library += &format!("struct {STUB}last {{ x: f32 }}\n");
        let (whole, shown) = (format!("{code}{library}"), format!("{}{library}", self.wgsl));
        let module = naga::front::wgsl::parse_str(&whole).map_err(|error| {
            match self.within(error.labels().map(|(span, _)| span)).next() {
                Some(range) => self.wrong(Some(range.start), said(error.emit_to_string(&shown))),
                None => self.unfinished(code).unwrap_or_else(|| {
                    let places = error.labels().filter_map(|(span, _)| span.to_range());
                    self.unfit(&whole, places, declared, error.emit_to_string(&shown))
                }),
            }
        })?;
        if let Some(form) = missing.first() {
            return Err(self.wrong(None, format!("it does not declare `{form}`")));
        }
        let place_of = |name: &str| declared.iter().find(|d| d.text == name).map(|d| d.at);
        if let Some(entry) = module.entry_points.first() {
            let problem = format!("`{}` is an entry point; those are the library's", entry.name);
            return Err(self.wrong(place_of(&entry.name), problem));
        }
        if let Some((_, constant)) = module.overrides.iter().next() {
            let name = constant.name.as_deref().unwrap_or_default();
            return Err(
                self.wrong(place_of(name), format!("`{name}` is an override; nobody sets it: use `const`"))
            );
        }
        let shared =
            module.global_variables.iter().find(|(_, variable)| variable.space != AddressSpace::Private);
        if let Some((_, variable)) = shared {
            let name = variable.name.as_deref().unwrap_or_default();
            let what = match variable.space {
                _ if variable.binding.is_some() => "a binding",
                AddressSpace::WorkGroup => "memory of the workgroup",
                AddressSpace::Uniform => "a uniform buffer",
                AddressSpace::Storage { .. } => "a storage buffer",
                AddressSpace::Handle => "a texture or a sampler",
                _ => "of another address space",
            };
            let problem = format!("`{name}` is {what}; only `var<private>` may stand outside functions");
            return Err(self.wrong(place_of(name), problem));
        }
        let validated = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module);
        let info = validated.map_err(|error| {
            let spans = || error.spans().map(|(span, _)| *span);
            // Of what is in one another the innermost.
            match self.within(spans()).min_by_key(ExactSizeIterator::len) {
                Some(range) => self.wrong(Some(range.start), said(error.emit_to_string(&shown))),
                None => {
                    let places = spans().filter_map(Span::to_range);
                    self.unfit(&whole, places, declared, error.emit_to_string(&shown))
                }
            }
        })?;
        self.check_sizes(&module)?;
        let named = |name: &str| module.functions.iter().find(|(_, f)| f.name.as_deref() == Some(name));
        for Function { name, .. } in functions {
            // An alias has a handle of its own.
            let inner = |ty: Handle<naga::Type>| &module.types[ty].inner;
            let types = |name: &str| {
                let (_, function) = named(name)?;
                let arguments: Vec<_> =
                    function.arguments.iter().map(|argument| inner(argument.ty)).collect();
                Some((arguments, function.result.as_ref().map(|result| inner(result.ty))))
            };
            if types(name) != types(&format!("{STUB}{name}")) {
                let problem = format!("`{name}` must be declared as `{}`", self.form(name));
                return Err(self.wrong(place_of(name), problem));
            }
            let stages = named(name).map(|(handle, _)| info[handle].available_stages);
            if stages.is_some_and(|stages| !stages.contains(ShaderStages::COMPUTE)) {
                let problem = format!("`{name}` does what a compute shader cannot");
                return Err(self.wrong(place_of(name), problem));
            }
        }
        let computed = |expression: &Expression| matches!(expression, Expression::Access { .. });
        let indexes = module.functions.iter().any(|(_, f)| f.expressions.iter().any(|(_, e)| computed(e)));
        Ok((indexes, self.reads(&module)))
    }

    /// Refuses variables that a shader may have no room for: WGSL promises some thousand bytes, and compilers take what is more to the
    /// device's memory, or give up.
    fn check_sizes(&self, module: &naga::Module) -> Result<()> {
        let size = |ty: Handle<naga::Type>| u64::from(module.types[ty].inner.size(module.to_ctx()));
        let row = format!("{STUB}row");
        let too_large = |name: Option<&str>, span: Span| {
            let row_name = self.interface.row.unwrap_or_default();
            let name = match name {
                Some(name) if name == row => format!("`{row_name}`"),
                Some(name) => format!("`{name}`"),
                None => "a value".into(),
            };
            let problem = format!("{name} is too large: all variables together may have {MOST_BYTES} bytes");
            self.wrong(self.start(span), problem)
        };
        let mut kept = 0;
        for (handle, variable) in module.global_variables.iter() {
            kept += size(variable.ty);
            if kept > MOST_BYTES {
                return Err(too_large(variable.name.as_deref(), module.global_variables.get_span(handle)));
            }
        }
        // Bytes and bodies of each function so far, with all that it calls as often as it does, for compilers put bodies in the place of
        // calls. What is called stands before.
        let mut with_calls: Vec<[u64; 2]> = Vec::new();
        for (handle, function) in module.functions.iter() {
            if self.start(module.functions.get_span(handle)).is_none() {
                // The library's keep a few numbers.
                with_calls.push([0, 1]);
                continue;
            }
            let [mut local, mut bodies] = [0, 1];
            for (handle, variable) in function.local_variables.iter() {
                local += size(variable.ty);
                if local > MOST_BYTES {
                    return Err(too_large(
                        variable.name.as_deref(),
                        function.local_variables.get_span(handle),
                    ));
                }
            }
            for Call { callee, span, .. } in calls(&function.body) {
                let [bytes_within, bodies_within] = with_calls[callee.index()];
                (local, bodies) = (local + bytes_within, bodies + bodies_within);
                let what = match (local > MOST_BYTES, bodies > MOST_BODIES) {
                    (true, _) => {
                        format!("all variables together have {local} bytes and may have {MOST_BYTES}")
                    }
                    (_, true) => format!("there are {bodies} calls within calls and may be {MOST_BODIES}"),
                    _ => continue,
                };
                let name = |function: &naga::Function| function.name.clone().unwrap_or_default();
                let (caller, callee) = (name(function), name(&module.functions[callee]));
                let problem =
                    format!("`{caller}` is too large with its calls up to this one of `{callee}`: {what}");
                return Err(self.wrong(self.start(span), problem));
            }
            with_calls.push([local, bodies]);
        }
        // What is no variable has a type too, best one with a name.
        let all = || module.types.iter().filter(|(ty, _)| size(*ty) > MOST_BYTES);
        let large = all().find(|(_, kind)| kind.name.is_some()).or_else(|| all().next());
        large.map_or(Ok(()), |(ty, kind)| Err(too_large(kind.name.as_deref(), module.types.get_span(ty))))
    }

    /// The calls of the library's reading functions with a constant, and of functions that hand their parameter on to those whatever
    /// happens.
    fn reads(&self, module: &naga::Module) -> Vec<Read> {
        let mut found = Vec::new();
        // Of each function so far, which reading functions get which of its parameters. What is called stands before.
        let mut handed: Vec<Vec<(&'static str, u32)>> = Vec::new();
        for (_, function) in module.functions.iter() {
            let is_it = |read: &&&str| Some(**read) == function.name.as_deref();
            let mut own: Vec<_> =
                self.interface.reads.iter().find(is_it).map(|by| (*by, 0)).into_iter().collect();
            for Call { callee, arguments, span, always } in calls(&function.body) {
                for &(by, index) in &handed[callee.index()] {
                    let at = arguments[index as usize];
                    if let Some(at) = constant(module, function, at) {
                        found.push(Read { by, at, place: self.start(span) });
                    } else if let Expression::FunctionArgument(index) = function.expressions[at]
                        && always
                        && !own.contains(&(by, index))
                    {
                        own.push((by, index));
                    }
                }
            }
            handed.push(own);
        }
        found.sort_by_key(|read| read.place);
        found
    }

    /// What is wrong in the library's part of `whole`, where that names what the text must declare: told at the place where the text declares it differently.
    fn unfit(
        &self,
        whole: &str,
        places: impl Iterator<Item = Range<usize>>,
        declared: &[Word<'_>],
        message: String,
    ) -> Error {
        let place = places.min_by_key(ExactSizeIterator::len);
        let line = place.and_then(|range| whole.get(range.start..)?.lines().next()).unwrap_or_default();
        let mut asked_for = words(line).filter(|word| self.is_asked_for(word.text));
        match asked_for.find_map(|word| declared.iter().find(|d| d.text == word.text)) {
            Some(Word { at, text, .. }) => {
                self.wrong(Some(*at), format!("`{text}` must be declared as `{}`", self.form(text)))
            }
            None => self.wrong(None, format!("it does not fit the library behind it: {}", said(message))),
        }
    }

    /// What is wrong at the end of a text that stops too early, where the library would go on.
    fn unfinished(&self, code: &str) -> Option<Error> {
        let error = naga::front::wgsl::parse_str(code).err()?;
        let (span, _) = error.labels().next()?;
        let at = span.to_range()?.start;
        (at >= code.len()).then(|| self.wrong(Some(code.len()), said(error.emit_to_string(self.wgsl))))
    }

    /// Those that are in the text.
    fn within(&self, spans: impl Iterator<Item = Span>) -> impl Iterator<Item = Range<usize>> {
        spans.filter_map(Span::to_range).filter(|range| range.start < self.wgsl.len())
    }

    /// Where a span begins, if that is in the text.
    fn start(&self, span: Span) -> Option<usize> {
        self.within([span].into_iter()).next().map(|range| range.start)
    }

    fn is_asked_for(&self, name: &str) -> bool {
        self.interface.row == Some(name) || self.interface.functions.iter().any(|f| f.name == name)
    }

    /// How a function, or the row, is declared.
    fn form(&self, name: &str) -> String {
        match self.interface.functions.iter().find(|function| function.name == name) {
            Some(function) => format!("fn {name}{}", function.types),
            None => format!("struct {name}"),
        }
    }

    fn wrong(&self, at: Option<usize>, problem: impl Into<String>) -> Error {
        wrong(self.interface.what, self.name, self.wgsl, at, problem)
    }
}

/// What is wrong with a text, at a byte of it.
fn wrong(what: &str, name: &str, wgsl: &str, at: Option<usize>, problem: impl Into<String>) -> Error {
    let place = at.and_then(|at| wgsl.get(..at)).map(|before| {
        let line = before.rsplit('\n').next().unwrap_or_default();
        [before.matches('\n').count() + 1, line.chars().count() + 1]
    });
    Error::Plug { plug: format!("{what} `{name}`"), place, problem: problem.into() }
}

struct Call<'a> {
    callee: Handle<naga::Function>,
    arguments: &'a [Handle<Expression>],
    span: Span,
    /// Whether it stands before all branches and loops.
    always: bool,
}

/// The calls of a function, those of its outermost block first.
fn calls(body: &naga::Block) -> Vec<Call<'_>> {
    let (mut found, mut blocks, mut always) = (Vec::new(), vec![body], true);
    while let Some(block) = blocks.pop() {
        for (statement, span) in block.span_iter() {
            let within = blocks.len();
            match statement {
                Statement::Call { function, arguments, .. } => {
                    found.push(Call { callee: *function, arguments, span: *span, always });
                }
                Statement::Block(block) => blocks.push(block),
                Statement::If { accept, reject, .. } => blocks.extend([accept, reject]),
                Statement::Switch { cases, .. } => blocks.extend(cases.iter().map(|case| &case.body)),
                Statement::Loop { body, continuing, .. } => blocks.extend([body, continuing]),
                _ => {}
            }
            always &= blocks.len() == within;
        }
        always = false;
    }
    found
}

/// The number that an expression of a function is, if the text says so.
fn constant(module: &naga::Module, function: &naga::Function, of: Handle<Expression>) -> Option<u32> {
    let literal = |expression: &Expression| match expression {
        Expression::Literal(naga::Literal::U32(number)) => Some(*number),
        _ => None,
    };
    match &function.expressions[of] {
        Expression::Constant(constant) => {
            literal(&module.global_expressions[module.constants[*constant].init])
        }
        expression => literal(expression),
    }
}

/// Before the names of what this module declares beside a text.
const STUB: &str = "hs_stub_";

/// What naga says, without the word that begins it.
fn said(message: String) -> String {
    let message = message.trim();
    message.strip_prefix("error: ").unwrap_or(message).into()
}

/// `var<private>` as the crate writes it, wherever blanks stand before an address space.
fn without_blanks(code: &str) -> String {
    let (mut out, mut done) = (String::with_capacity(code.len()), 0);
    for word in words(code).filter(|word| word.text == "var") {
        let (before, behind) = code.split_at(word.at + word.text.len());
        if behind.trim_start().starts_with('<') {
            out.push_str(&before[done..]);
            done = code.len() - behind.trim_start().len();
        }
    }
    out + &code[done..]
}

/// The names that are declared at module scope.
pub(crate) fn declarations(code: &str) -> impl Iterator<Item = Word<'_>> {
    let outside = words(code).filter(|word| word.depth == 0);
    outside.filter_map(|word| {
        if !["fn", "struct", "alias", "const", "override", "var"].contains(&word.text) {
            return None;
        }
        let behind = word.at + word.text.len();
        // An address space may stand between.
        let space = match code[behind..].trim_start().starts_with('<') {
            true => code[behind..].find('>')?,
            false => 0,
        };
        let name = words(&code[behind + space..]).next()?;
        Some(Word { at: behind + space + name.at, text: name.text, depth: 0 })
    })
}

/// The text with blanks for comments, each of which may hold others: every place is where it was.
fn without_comments(text: &str) -> String {
    let (mut out, mut open, mut line) = (String::with_capacity(text.len()), 0u32, false);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let closes = open > 0 && rest.starts_with("*/");
        let opens = !line && !closes && rest.starts_with("/*");
        line |= open == 0 && rest.starts_with("//");
        open += u32::from(opens);
        let blank = line || open > 0;
        open -= u32::from(closes);
        line &= !matches!(c, '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
        let taken = if opens || closes { 2 } else { c.len_utf8() };
        match c {
            '\n' => out.push('\n'),
            _ if blank => out.extend(std::iter::repeat_n(' ', taken)),
            _ => out.push(c),
        }
        rest = &rest[taken..];
    }
    out
}

/// The text with other words for some.
pub(crate) fn renamed(text: &str, name: impl Fn(&str) -> Option<String>) -> String {
    let (mut out, mut done) = (String::with_capacity(text.len()), 0);
    for word in words(text) {
        if let Some(name) = name(word.text) {
            out.push_str(&text[done..word.at]);
            out.push_str(&name);
            done = word.at + word.text.len();
        }
    }
    out + &text[done..]
}
