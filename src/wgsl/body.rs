//! The statements of a function: loops, or the same written out.

use super::index::Index;
use std::fmt::Write;

/// Lines are broken here where they can be.
const WIDTH: usize = 110;

/// A function's statements in the making.
#[derive(Debug)]
pub(super) struct Body {
    text: String,
    depth: usize,
    unrolled: bool,
    /// How often the statement that comes next runs.
    times: u64,
    iterations: u64,
}

impl Body {
    pub(super) fn new(unrolled: bool) -> Body {
        Body { text: String::new(), depth: 1, unrolled, times: 1, iterations: 0 }
    }

    pub(super) fn is_unrolled(&self) -> bool {
        self.unrolled
    }

    /// The text, and how often its loops go round in all.
    pub(super) fn finish(self) -> (String, u64) {
        (self.text, self.iterations)
    }

    pub(super) fn line(&mut self, line: impl AsRef<str>) {
        let line = line.as_ref();
        writeln!(self.text, "{:1$}{line}", "", 4 * self.depth).expect("a String takes every write");
    }

    /// `place = term + term + …;`, several lines where it is long.
    pub(super) fn sum(&mut self, place: &str, terms: &[String]) {
        let mut line = format!("{place} =");
        for (index, term) in terms.iter().enumerate() {
            let sign = if index == 0 { " " } else { " + " };
            if index > 0 && line.len() + term.len() > WIDTH {
                self.line(std::mem::take(&mut line).trim_end());
                line.push_str("   ");
            }
            line += sign;
            line += term;
        }
        self.line(line + ";");
    }

    /// The statements for each of `count` values of `name`.
    pub(super) fn each(&mut self, name: &str, count: usize, mut body: impl FnMut(&mut Body, Index)) {
        if self.unrolled || count == 1 {
            return (0..count).for_each(|i| body(self, i.into()));
        }
        let outside = self.times;
        self.times = outside.saturating_mul(count as u64);
        self.iterations = self.iterations.saturating_add(self.times);
        self.line(format!("for (var {name} = 0u; {name} < {count}; {name}++) {{"));
        self.indented(|inner| body(inner, Index::variable(name)));
        self.times = outside;
    }

    /// The statements where each first number is less than its second.
    pub(super) fn when(&mut self, less: &[(Index, Index)], body: impl FnOnce(&mut Body)) {
        let mut unknown = Vec::new();
        for (a, b) in less {
            match (a, b) {
                (Index::At(a), Index::At(b)) if a < b => {}
                (Index::At(_), Index::At(_)) => return,
                (a, b) => unknown.push(format!("({a} < {b})")),
            }
        }
        if unknown.is_empty() {
            return body(self);
        }
        self.line(format!("if {} {{", unknown.join(" && ")));
        self.indented(body);
    }

    /// A block, so that names may be declared that occur again.
    pub(super) fn block(&mut self, body: impl FnOnce(&mut Body)) {
        self.line("{");
        self.indented(body);
    }

    fn indented(&mut self, body: impl FnOnce(&mut Body)) {
        self.depth += 1;
        body(self);
        self.depth -= 1;
        self.line("}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(unrolled: bool) -> (String, u64) {
        let mut body = Body::new(unrolled);
        body.each("i", 3, |body, i| {
            body.each("j", 2, |body, j| {
                body.when(&[(i.clone() + j.clone(), 2.into())], |body| {
                    body.line(format!("z[{i}] += x[{j}];"))
                });
            });
        });
        body.finish()
    }

    #[test]
    fn loops_and_the_same_written_out() {
        let (loops, iterations) = written(false);
        assert_eq!(
            loops,
            "    for (var i = 0u; i < 3; i++) {\n        for (var j = 0u; j < 2; j++) {\n            \
             if (i + j < 2) {\n                z[i] += x[j];\n            }\n        }\n    }\n"
        );
        assert_eq!(iterations, 3 + 6);
        let (straight, none) = written(true);
        assert_eq!(
            (straight.as_str(), none),
            ("    z[0] += x[0];\n    z[0] += x[1];\n    z[1] += x[0];\n", 0)
        );
    }

    #[test]
    fn long_sums_are_broken() {
        let mut body = Body::new(true);
        body.sum("z[0]", &vec!["dot(a, b)".to_owned(); 30]);
        let (text, _) = body.finish();
        assert!(text.lines().count() > 1 && text.lines().all(|line| line.len() <= WIDTH + 10));
        assert_eq!(text.matches("dot(a, b)").count(), 30);
        assert_eq!(text.matches(" + ").count(), 29);
    }
}
