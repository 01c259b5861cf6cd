//! Reading a command line. Errors are for the user.

/// Arguments one by one; a value may follow its option as the next argument or after `=`.
#[derive(Debug)]
pub(crate) struct Arguments {
    rest: std::vec::IntoIter<String>,
    /// The option that was read last, and what followed its `=`.
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
        self.attached.take().or_else(|| self.rest.next()).ok_or_else(|| format!("{} needs a value", self.name))
    }

    /// The value as a whole number of at least 1.
    pub(crate) fn count(&mut self) -> Result<u32, String> {
        let value = self.value()?;
        let number = value.parse().ok().filter(|number| *number > 0);
        number.ok_or_else(|| format!("{} must be a whole number of at least 1, not `{value}`", self.name))
    }

    /// The value as a number of any kind.
    pub(crate) fn number<T: std::str::FromStr>(&mut self) -> Result<T, String> {
        let value = self.value()?;
        value.parse().map_err(|_| format!("{} must be a number, not `{value}`", self.name))
    }
}
