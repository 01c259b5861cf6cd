//! Python's pickles, as far as the CIFAR data sets use them. Values are built and nothing else is done: what a pickle names is
//! never called, so reading one is safe. (Opcodes: Python's `pickletools`.)

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

/// A value, by its index: what is mentioned twice is there once.
type Id = usize;
type Outcome<T> = Result<T, String>;

#[derive(Debug, Clone)]
enum Value {
    /// `None`, `True`, `False`: nothing that is asked for.
    Other,
    False,
    Int(i64),
    /// Bytes or text: a part of the file.
    Text(Range<usize>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// Module and name.
    Global(Id, Id),
    /// What a call would have returned.
    Object {
        callable: Id,
        arguments: Id,
        state: Option<Id>,
    },
}

/// A pickle that has been read.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    bytes: &'a [u8],
    values: Vec<Value>,
    root: Id,
}

impl<'a> Pickle<'a> {
    /// What a pickle of protocol 2 and later begins with, and a dictionary's of protocol 1.
    pub(super) const FIRST: [u8; 2] = [0x80, b'}'];
    /// What a dictionary's of protocol 0 begins with: lines of text, which are not read.
    pub(super) const IN_LINES: u8 = b'(';

    /// Reads a pickle of at most `most` opcodes, which bounds the memory as well; the error says what is wrong with it.
    pub(super) fn read(bytes: &'a [u8], most: usize) -> Outcome<Pickle<'a>> {
        let mut machine = Machine {
            bytes,
            most,
            at: 0,
            values: vec![],
            stack: vec![],
            marks: vec![],
            memo: BTreeMap::new(),
        };
        match machine.run() {
            Ok(root) if machine.at == bytes.len() => Ok(Pickle { bytes, values: machine.values, root }),
            Ok(_) => Err(format!("goes on behind the pickle's end at byte {}", machine.at)),
            Err(problem) => {
                Err(format!("is a pickle that cannot be read before byte {}: {problem}", machine.at))
            }
        }
    }

    /// The value of a key of the pickled dictionary.
    fn entry(&self, key: &str) -> Option<&Value> {
        let Value::Dict(entries) = &self.values[self.root] else { return None };
        // A key is ASCII, which Latin-1 leaves as it is.
        let is_key = |id: Id| self.written(id).is_some_and(|(text, _)| text == key.as_bytes());
        let (_, value) = entries.iter().find(|(name, _)| is_key(*name))?;
        Some(&self.values[*value])
    }

    /// A key's list of numbers, each below 256.
    pub(super) fn numbers(&self, key: &str) -> Option<Vec<u8>> {
        let Value::List(items) = self.entry(key)? else { return None };
        let number =
            |id: &Id| if let Value::Int(number) = self.values[*id] { number.try_into().ok() } else { None };
        items.iter().map(number).collect()
    }

    /// A key's numpy array of bytes with two dimensions, in row-major order.
    pub(super) fn array(&self, key: &str) -> Option<([usize; 2], Cow<'a, [u8]>)> {
        let Value::Object { callable, state: Some(state), .. } = *self.entry(key)? else { return None };
        let named = self.name(callable)?;
        let known = [&b"numpy.core.multiarray"[..], b"numpy._core.multiarray"];
        if !known.contains(&named.0) || named.1 != b"_reconstruct" {
            return None;
        }
        // numpy's __setstate__: version, shape, dtype, whether columns come first, data.
        let Value::Tuple(state) = &self.values[state] else { return None };
        let [_, shape, dtype, columns_first, data] = state[..] else { return None };
        let Value::Object { callable, arguments, .. } = self.values[dtype] else { return None };
        let (Value::Tuple(arguments), Value::Tuple(shape)) = (&self.values[arguments], &self.values[shape])
        else {
            return None;
        };
        let bytes = self.name(callable)? == (b"numpy", b"dtype") && self.text(*arguments.first()?)? == b"u1";
        if !bytes || !matches!(self.values[columns_first], Value::False) {
            return None;
        }
        let sizes: Option<Vec<usize>> = shape
            .iter()
            .map(|id| if let Value::Int(size) = self.values[*id] { size.try_into().ok() } else { None })
            .collect();
        let shape: [usize; 2] = sizes?.try_into().ok()?;
        let data: Cow<[u8]> = match self.written(data)? {
            (text, true) => latin_1(text)?.into(),
            (bytes, false) => bytes.into(),
        };
        (shape[0].checked_mul(shape[1]) == Some(data.len())).then_some((shape, data))
    }

    fn text(&self, id: Id) -> Option<&'a [u8]> {
        if let Value::Text(range) = &self.values[id] { Some(&self.bytes[range.clone()]) } else { None }
    }

    /// Bytes or text as they stand in the file, and whether they are Latin-1 in UTF-8: up to protocol 2 Python 3 has no bytes, and names
    /// a call that makes them of text.
    fn written(&self, id: Id) -> Option<(&'a [u8], bool)> {
        let Value::Object { callable, arguments, .. } = self.values[id] else {
            return Some((self.text(id)?, false));
        };
        let Value::Tuple(arguments) = &self.values[arguments] else { return None };
        let &[text, encoding] = &arguments[..] else { return None };
        let makes_bytes =
            self.name(callable)? == (b"_codecs", b"encode") && self.text(encoding)? == b"latin1";
        makes_bytes.then_some((self.text(text)?, true))
    }

    fn name(&self, id: Id) -> Option<(&'a [u8], &'a [u8])> {
        let Value::Global(module, name) = self.values[id] else { return None };
        Some((self.text(module)?, self.text(name)?))
    }
}

/// The bytes that are a text's characters.
fn latin_1(text: &[u8]) -> Option<Vec<u8>> {
    std::str::from_utf8(text).ok()?.chars().map(|c| c.try_into().ok()).collect()
}

/// The stack machine whose program a pickle is.
struct Machine<'a> {
    bytes: &'a [u8],
    most: usize,
    at: usize,
    values: Vec<Value>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: BTreeMap<usize, Id>,
}

impl Machine<'_> {
    /// Runs to the end, and returns what is on top of the stack there.
    fn run(&mut self) -> Outcome<Id> {
        for _ in 0..self.most {
            let [opcode] = self.take()?;
            match opcode {
                b'.' => return self.pop(),
                0x80 => match self.unsigned::<1>()? {
                    0..=4 => {}
                    later => return Err(format!("it is of protocol {later}; protocols 1 to 4 are read")),
                },
                0x95 => drop(self.take::<8>()?),
                b'(' => self.marks.push(self.stack.len()),
                // Constants, numbers, bytes and text.
                b'N' | 0x88 => self.push(Value::Other),
                0x89 => self.push(Value::False),
                // Truth in protocol 1.
                b'I' => match &self.bytes[self.line()?] {
                    b"00" => self.push(Value::False),
                    b"01" => self.push(Value::Other),
                    _ => return Err("it has a number in letters".into()),
                },
                b'K' => self.unsigned::<1>().and_then(|number| self.int(number))?,
                b'M' => self.unsigned::<2>().and_then(|number| self.int(number))?,
                b'J' => {
                    let number = i32::from_le_bytes(self.take()?);
                    self.push(Value::Int(number.into()));
                }
                b'U' | b'C' | 0x8c => self.unsigned::<1>().and_then(|len| self.push_text(len))?,
                b'T' | b'B' | b'X' => self.unsigned::<4>().and_then(|len| self.push_text(len))?,
                0x8d | 0x8e => self.unsigned::<8>().and_then(|len| self.push_text(len))?,
                // Lists, tuples, dictionaries.
                b']' => self.push(Value::List(vec![])),
                b')' => self.push(Value::Tuple(vec![])),
                b'}' => self.push(Value::Dict(vec![])),
                0x85..=0x87 => {
                    let at = self.stack.len().checked_sub(usize::from(opcode) - 0x84).ok_or(SHORT)?;
                    let items = self.stack.split_off(at);
                    self.push(Value::Tuple(items));
                }
                b't' => {
                    let items = self.marked()?;
                    self.push(Value::Tuple(items));
                }
                b'a' => {
                    let item = self.pop()?;
                    self.extend(vec![item])?;
                }
                b'e' => self.marked().and_then(|items| self.extend(items))?,
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.insert(&[key, value])?;
                }
                b'u' => self.marked().and_then(|items| self.insert(&items))?,
                // What is mentioned again.
                b'q' => self.unsigned::<1>().and_then(|name| self.remember(name))?,
                b'r' => self.unsigned::<4>().and_then(|name| self.remember(name))?,
                0x94 => self.remember(self.memo.len())?,
                b'h' => self.unsigned::<1>().and_then(|name| self.recall(name))?,
                b'j' => self.unsigned::<4>().and_then(|name| self.recall(name))?,
                // Names, and what a call with arguments and a state would make.
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    let (module, name) = (self.add(Value::Text(module)), self.add(Value::Text(name)));
                    self.push(Value::Global(module, name));
                }
                0x93 => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    self.push(Value::Global(module, name));
                }
                b'R' => {
                    let (arguments, callable) = (self.pop()?, self.pop()?);
                    self.push(Value::Object { callable, arguments, state: None });
                }
                b'b' => {
                    let new = self.pop()?;
                    match self.top()? {
                        Value::Object { state, .. } => *state = Some(new),
                        _ => return Err("a state is given to what is no object".into()),
                    }
                }
                other => return Err(format!("opcode {other:#04x} is none that CIFAR's pickles have")),
            }
        }
        Err(format!("it has more than {} opcodes", self.most))
    }

    fn take<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        let bytes = self.bytes[self.at..].first_chunk().ok_or("it ends too early")?;
        self.at += N;
        Ok(*bytes)
    }

    fn unsigned<const N: usize>(&mut self) -> Outcome<usize> {
        let bytes = self.take::<N>()?;
        let number =
            bytes.iter().rev().try_fold(0_usize, |n, byte| n.checked_mul(256)?.checked_add((*byte).into()));
        number.ok_or_else(|| "a length overflows".into())
    }

    fn int(&mut self, number: usize) -> Outcome<()> {
        self.push(Value::Int(i64::try_from(number).map_err(|error| error.to_string())?));
        Ok(())
    }

    fn push_text(&mut self, len: usize) -> Outcome<()> {
        let end =
            self.at.checked_add(len).filter(|end| *end <= self.bytes.len()).ok_or("it ends too early")?;
        let range = self.at..end;
        self.at = end;
        self.push(Value::Text(range));
        Ok(())
    }

    /// Up to the end of a line, which is left out.
    fn line(&mut self) -> Outcome<Range<usize>> {
        let len = self.bytes[self.at..].iter().position(|byte| *byte == b'\n').ok_or("it ends too early")?;
        let range = self.at..self.at + len;
        self.at = range.end + 1;
        Ok(range)
    }

    fn add(&mut self, value: Value) -> Id {
        self.values.push(value);
        self.values.len() - 1
    }

    fn push(&mut self, value: Value) {
        let id = self.add(value);
        self.stack.push(id);
    }

    /// The topmost value, which must not be below the last mark.
    fn pop(&mut self) -> Outcome<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() > floor { self.stack.pop().ok_or(SHORT.into()) } else { Err(SHORT.into()) }
    }

    fn top(&mut self) -> Outcome<&mut Value> {
        let id = *self.stack.last().ok_or(SHORT)?;
        Ok(&mut self.values[id])
    }

    /// What has been pushed since the last mark.
    fn marked(&mut self) -> Outcome<Vec<Id>> {
        let at = self.marks.pop().filter(|at| *at <= self.stack.len()).ok_or(SHORT)?;
        Ok(self.stack.split_off(at))
    }

    fn extend(&mut self, new: Vec<Id>) -> Outcome<()> {
        match self.top()? {
            Value::List(items) => {
                items.extend(new);
                Ok(())
            }
            _ => Err("items are added to what is no list".into()),
        }
    }

    fn insert(&mut self, new: &[Id]) -> Outcome<()> {
        match self.top()? {
            Value::Dict(entries) => {
                entries.extend(new.as_chunks().0.iter().map(|[key, value]| (*key, *value)));
                Ok(())
            }
            _ => Err("keys are added to what is no dictionary".into()),
        }
    }

    fn remember(&mut self, name: usize) -> Outcome<()> {
        self.memo.insert(name, *self.stack.last().ok_or(SHORT)?);
        Ok(())
    }

    fn recall(&mut self, name: usize) -> Outcome<()> {
        let id = *self.memo.get(&name).ok_or("it recalls what it has not remembered")?;
        self.stack.push(id);
        Ok(())
    }
}

const SHORT: &str = "its stack is too short";
