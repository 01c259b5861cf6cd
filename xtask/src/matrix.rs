//! The table permutation × stack, from the lists that the runs leave.

use std::collections::BTreeMap;
use std::fmt::Write;

/// A permutation: a line of `permutations.tsv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Permutation {
    pub(crate) id: String,
    pub(crate) family: String,
    pub(crate) label: String,
}

/// How a permutation fared on a stack.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fate {
    pub(crate) jobs: usize,
    /// The worst error of any result that it had a part in.
    pub(crate) worst: f64,
    pub(crate) fault: Option<String>,
}

/// A column: a stack, and what became of the permutations there; or why nothing ran.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// Adapter and versions.
    pub(crate) details: String,
    pub(crate) fates: Result<BTreeMap<String, Fate>, String>,
}

/// Reads `permutations.tsv`.
pub(crate) fn permutations(text: &str) -> Result<Vec<Permutation>, String> {
    let line = |line: &str| match line.split('\t').collect::<Vec<_>>()[..] {
        [id, family, label] => Ok(Permutation { id: id.into(), family: family.into(), label: label.into() }),
        _ => Err(format!("not a permutation: `{line}`")),
    };
    text.lines().map(line).collect()
}

/// Reads a list of fates: the stack behind `#`, then a line for each permutation.
pub(crate) fn fates(text: &str) -> Result<(String, BTreeMap<String, Fate>), String> {
    let mut lines = text.lines();
    let stack = lines.next().and_then(|line| line.strip_prefix("# ")).ok_or("the stack's name is missing")?;
    let fate = |line: &str| {
        let [id, jobs, worst, fault] = line.split('\t').collect::<Vec<_>>()[..] else { return None };
        let fault = (!fault.is_empty()).then(|| fault.to_owned());
        Some((id.to_owned(), Fate { jobs: jobs.parse().ok()?, worst: worst.parse().ok()?, fault }))
    };
    let fates = lines.map(|line| fate(line).ok_or_else(|| format!("not a permutation's fate: `{line}`")));
    Ok((stack.to_owned(), fates.collect::<Result<_, _>>()?))
}

/// The same in text.
pub(crate) fn list(stack: &str, fates: &BTreeMap<String, Fate>) -> String {
    let mut text = format!("# {stack}\n");
    for (id, Fate { jobs, worst, fault }) in fates {
        let fault = fault.as_deref().unwrap_or_default().replace(['\n', '\t'], " ");
        writeln!(text, "{id}\t{jobs}\t{worst:e}\t{fault}").expect("a String takes every write");
    }
    text
}

/// One row a family.
pub(crate) fn summary(permutations: &[Permutation], columns: &[Column]) -> String {
    let mut families: BTreeMap<&str, Vec<&Permutation>> = BTreeMap::new();
    for permutation in permutations {
        families.entry(&permutation.family).or_default().push(permutation);
    }
    let mut text = head(&["permutations of", "number"], columns);
    for (family, members) in &families {
        write!(text, "| {family} | {} |", members.len()).expect("a String takes every write");
        for column in columns {
            write!(text, " {} |", column.of(members)).expect("a String takes every write");
        }
        text.push('\n');
    }
    let all: Vec<&Permutation> = permutations.iter().collect();
    write!(text, "| **all** | {} |", all.len()).expect("a String takes every write");
    for column in columns {
        write!(text, " {} |", column.of(&all)).expect("a String takes every write");
    }
    text.push('\n');
    text
}

/// One row a permutation.
pub(crate) fn full(permutations: &[Permutation], columns: &[Column]) -> String {
    let mut text = head(&["permutation", "family"], columns);
    let mut sorted: Vec<&Permutation> = permutations.iter().collect();
    sorted.sort_by_key(|p| (&p.family, &p.label));
    for permutation in sorted {
        write!(text, "| {} `{}` | {} |", permutation.label, permutation.id, permutation.family)
            .expect("a String takes every write");
        for column in columns {
            write!(text, " {} |", column.of(&[permutation])).expect("a String takes every write");
        }
        text.push('\n');
    }
    text
}

fn head(first: &[&str], columns: &[Column]) -> String {
    let names: Vec<&str> = first.iter().copied().chain(columns.iter().map(|column| column.name)).collect();
    format!("| {} |\n|{}\n", names.join(" | "), "---|".repeat(names.len()))
}

impl Column {
    /// How many of these passed, and with what error; which did not.
    fn of(&self, members: &[&Permutation]) -> String {
        let Ok(fates) = &self.fates else { return "–".into() };
        let mine: Vec<&Fate> = members.iter().filter_map(|p| fates.get(&p.id)).collect();
        let passed = mine.iter().filter(|fate| fate.fault.is_none());
        let worst = mine.iter().map(|fate| fate.worst).fold(0.0, f64::max);
        let count = passed.count();
        let mut cell = if count == members.len() { "all".into() } else { format!("**{count}**") };
        if worst > 0.0 {
            write!(cell, ", {worst:.1e}").expect("a String takes every write");
        }
        cell
    }

    /// What is wrong: a permutation that failed or did not run.
    pub(crate) fn faults<'a>(&'a self, permutations: &'a [Permutation]) -> impl Iterator<Item = String> + 'a {
        let fates = self.fates.as_ref().ok();
        permutations.iter().filter_map(move |p| match fates?.get(&p.id) {
            None => Some(format!("{}: {} did not run", self.name, p.label)),
            Some(Fate { fault: Some(fault), .. }) => Some(format!("{}: {}: {fault}", self.name, p.label)),
            Some(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "a1\tloss\tloss mse\nb2\tloss\tloss bce\nc3\tsum\tsum 64\n";

    fn column(text: &str) -> Column {
        let (details, fates) = fates(text).unwrap();
        Column { name: "here", details, fates: Ok(fates) }
    }

    #[test]
    fn what_passed_is_counted_and_what_did_not_is_named() {
        let list = permutations(LIST).unwrap();
        let good = column("# llvmpipe\na1\t3\t1e-7\t\nb2\t1\t3e-6\t\nc3\t2\t0\t\n");
        assert_eq!(good.details, "llvmpipe");
        assert_eq!(good.faults(&list).count(), 0);
        let bad = column("# Dawn\na1\t3\t1e-7\t\nb2\t1\t0\tNaN\n");
        let faults: Vec<String> = bad.faults(&list).collect();
        assert_eq!(faults, ["here: loss bce: NaN", "here: sum 64 did not run"]);
        let absent = Column { name: "there", details: String::new(), fates: Err("no adapter".into()) };
        let table = summary(&list, &[good, bad, absent]);
        let expected = "| permutations of | number | here | here | there |\n|---|---|---|---|---|\n\
            | loss | 2 | all, 3.0e-6 | **1**, 1.0e-7 | – |\n| sum | 1 | all | **0** | – |\n\
            | **all** | 3 | all, 3.0e-6 | **1**, 1.0e-7 | – |\n";
        assert_eq!(table, expected);
    }

    #[test]
    fn every_permutation_has_a_row() {
        let list = permutations(LIST).unwrap();
        let table = full(&list, &[column("# x\na1\t1\t0\t\n")]);
        assert_eq!(table.lines().count(), 2 + list.len());
        assert!(table.contains("| loss mse `a1` | loss | all |"), "{table}");
    }

    #[test]
    fn lists_are_written_as_they_are_read() {
        let text = "# x\na1\t3\t1e-7\t\nb2\t1\t0e0\tNaN\n";
        let (stack, read) = fates(text).unwrap();
        assert_eq!(list(&stack, &read), text);
    }

    #[test]
    fn broken_lists_are_refused() {
        assert!(permutations("a1\tloss\n").is_err());
        assert!(fates("a1\t1\t0\t\n").is_err());
        for line in ["a1\t1\t0", "a1\tx\t0\t", "a1\t1\tx\t"] {
            assert!(fates(&format!("# x\n{line}\n")).is_err(), "{line}");
        }
    }
}
