//! Parsing a command line. Errors are messages for the user.

/// Arguments one by one; a value may follow its option as the next argument or after `=`.
#[derive(Debug)]
pub(crate) struct Arguments {
    rest: std::vec::IntoIter<String>,
    /// The last option read, and the text after its `=`.
    name: String,
    attached: Option<String>,
}

impl Arguments {
    /// Those of this process.
    pub(crate) fn of_process() -> Arguments {
        Arguments::new(std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()))
    }

    pub(crate) fn new(arguments: impl Iterator<Item = String>) -> Arguments {
        let rest = arguments.collect::<Vec<_>>().into_iter();
        Arguments { rest, name: String::new(), attached: None }
    }

    /// The next option's name, or a plain argument.
    pub(crate) fn next(&mut self) -> Result<Option<String>, String> {
        if self.attached.is_some() {
            return Err(format!("{} takes no value", self.name));
        }
        let Some(argument) = self.rest.next() else { return Ok(None) };
        (self.name, self.attached) = match argument.split_once('=') {
            Some((name, value)) if name.starts_with('-') => (name.to_owned(), Some(value.to_owned())),
            _ => (argument, None),
        };
        Ok(Some(self.name.clone()))
    }

    /// The value of the option read last.
    pub(crate) fn value(&mut self) -> Result<String, String> {
        self.attached
            .take()
            .or_else(|| self.rest.next())
            .ok_or_else(|| format!("{} needs a value", self.name))
    }

    /// The value as a whole number of at least 1.
    pub(crate) fn count(&mut self) -> Result<u32, String> {
        self.parsed("a whole number of at least 1", |number| *number > 0)
    }

    /// The value, described as `what`, if it parses and is `good`.
    pub(crate) fn parsed<T: std::str::FromStr>(
        &mut self,
        what: &str,
        good: fn(&T) -> bool,
    ) -> Result<T, String> {
        let value = self.value()?;
        let parsed = value.parse().ok().filter(good);
        parsed.ok_or_else(|| format!("{} must be {what}, not `{value}`", self.name))
    }
}

/// One of `known` by name, ignoring case.
#[allow(dead_code)] // not every example has names to choose from
pub(crate) fn named<'a, T>(
    what: &str,
    name: &str,
    known: &'a [T],
    of: fn(&T) -> &'static str,
) -> Result<&'a T, String> {
    known.iter().find(|known| of(known).eq_ignore_ascii_case(name)).ok_or_else(|| {
        let names: Vec<_> = known.iter().map(of).collect();
        format!("there is no {what} `{name}`; there are: {}", names.join(", "))
    })
}
