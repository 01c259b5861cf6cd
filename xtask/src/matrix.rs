//! The table permutation × stack, from the records of the runs.

use std::collections::BTreeMap;
use std::fmt::Write;

/// A permutation: a line of `permutations.tsv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Permutation {
    pub(crate) id: String,
    pub(crate) family: String,
    pub(crate) label: String,
    /// The WGSL extensions that it uses; not every stack supports them.
    pub(crate) needs: String,
}

/// A unit of work for a stack, and the permutations that it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) key: String,
    pub(crate) name: String,
    /// The WGSL extensions that it uses.
    pub(crate) needs: String,
    pub(crate) permutations: Vec<String>,
}

/// A permutation's result on a stack.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Fate {
    /// The worst error of any result that it contributed to.
    pub(crate) worst: f64,
    pub(crate) fault: Option<String>,
    /// The feature that the stack lacks for it.
    pub(crate) lacks: Option<String>,
}

/// A column: a stack and its permutations' results, or why nothing ran.
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
        [id, family, label, needs] => {
            let [id, family, label, needs] = [id, family, label, needs].map(str::to_owned);
            Ok(Permutation { id, family, label, needs })
        }
        _ => Err(format!("not a permutation: `{line}`")),
    };
    text.lines().map(line).collect()
}

/// Reads `jobs.tsv`, `texts.tsv`.
pub(crate) fn works(text: &str) -> Result<Vec<Work>, String> {
    let line = |line: &str| match line.split('\t').collect::<Vec<_>>()[..] {
        [key, name, needs, permutations] => {
            let permutations = permutations.split(' ').map(str::to_owned).collect();
            Ok(Work { key: key.into(), name: name.into(), needs: needs.into(), permutations })
        }
        _ => Err(format!("not a job: `{line}`")),
    };
    text.lines().map(line).collect()
}

/// Reads a stack's record: its name, and each permutation's result over all work. A permutation without a record is an error.
pub(crate) fn fates(record: &str, works: &[Work]) -> Result<(String, BTreeMap<String, Fate>), String> {
    let mut lines = record.lines();
    let stack = lines.next().and_then(|line| line.strip_prefix("# ")).ok_or("the stack's name is missing")?;
    let mut verdicts = BTreeMap::new();
    for line in lines {
        let [key, error, note] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("not a verdict: `{line}`"));
        };
        let error = if error == "-" {
            None
        } else {
            Some(error.parse::<f64>().map_err(|e| format!("{e}: `{line}`"))?)
        };
        verdicts.insert(key, (error, note));
    }
    let mut fates: BTreeMap<String, Fate> = BTreeMap::new();
    for work in works {
        for permutation in &work.permutations {
            let fate = fates.entry(permutation.clone()).or_default();
            match verdicts.get(work.key.as_str()) {
                Some((Some(error), "")) => fate.worst = fate.worst.max(*error),
                Some((Some(_), fault)) => drop(fate.fault.get_or_insert_with(|| (*fault).to_owned())),
                Some((None, what)) => fate.lacks = Some((*what).to_owned()),
                None => drop(fate.fault.get_or_insert_with(|| format!("{} did not run", work.name))),
            }
        }
    }
    Ok((stack.to_owned(), fates))
}

/// One row per family.
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

/// One row per permutation.
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
    /// The result of one permutation.
    fn fate(&self, permutation: &Permutation) -> Option<Fate> {
        let fate = self.fates.as_ref().ok()?.get(&permutation.id).cloned();
        Some(fate.unwrap_or_else(|| {
            if permutation.needs.is_empty() {
                Fate { fault: Some("did not run".into()), ..Fate::default() }
            } else {
                Fate { lacks: Some(permutation.needs.clone()), ..Fate::default() }
            }
        }))
    }

    /// How many of these passed, with what error, and which did not.
    fn of(&self, members: &[&Permutation]) -> String {
        let Some(mine) = members.iter().map(|p| self.fate(p)).collect::<Option<Vec<_>>>() else {
            return "–".into();
        };
        let worst = mine.iter().map(|fate| fate.worst).fold(0.0, f64::max);
        let failed = mine.iter().filter(|fate| fate.fault.is_some()).count();
        let lacking = mine.iter().filter(|fate| fate.fault.is_none() && fate.lacks.is_some()).count();
        let passed = members.len() - failed - lacking;
        let mut cell = match (failed, lacking, passed) {
            (0, 0, _) => "all".into(),
            (0, _, 0) => return "–".into(),
            (0, lacking, _) => format!("all but {lacking}"),
            _ => format!("**{passed}**"),
        };
        if worst > 0.0 {
            write!(cell, ", {worst:.1e}").expect("a String takes every write");
        }
        cell
    }

    /// Problems: permutations that failed or did not run.
    pub(crate) fn faults<'a>(&'a self, permutations: &'a [Permutation]) -> impl Iterator<Item = String> + 'a {
        let fault = |p: &Permutation| Some(format!("{}: {}: {}", self.name, p.label, self.fate(p)?.fault?));
        permutations.iter().filter_map(fault)
    }

    /// The features that the stack lacks, and how many permutations do not run because of them.
    pub(crate) fn lacking(&self, permutations: &[Permutation]) -> BTreeMap<String, usize> {
        let mut lacking = BTreeMap::new();
        for what in permutations.iter().filter_map(|p| self.fate(p)?.lacks) {
            *lacking.entry(what).or_default() += 1;
        }
        lacking
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "a1\tloss\tloss mse\t\nb2\tloss\tloss bce\t\nc3\tsum\tsum 64\t\n";
    const WORKS: &str = "k1\tone\t\ta1 b2\nk2\ttwo\t\tb2\nk3\tthree\t\tc3\n";

    fn column(record: &str) -> Column {
        let (details, fates) = fates(record, &works(WORKS).unwrap()).unwrap();
        Column { name: "here", details, fates: Ok(fates) }
    }

    #[test]
    fn what_passed_is_counted_and_what_did_not_is_named() {
        let list = permutations(LIST).unwrap();
        let good = column("# llvmpipe\nk1\t1e-7\t\nk2\tNaN\twrong\nk2\t3e-6\t\nk3\t0\t\nold\t1\t\n");
        assert_eq!(good.details, "llvmpipe");
        assert_eq!(good.faults(&list).count(), 0, "the last verdict counts");
        let bad = column("# Dawn\nk1\t1e-7\t\nk2\tNaN\twrong\n");
        let faults: Vec<String> = bad.faults(&list).collect();
        assert_eq!(faults, ["here: loss bce: wrong", "here: sum 64: three did not run"]);
        let absent = Column { name: "there", details: String::new(), fates: Err("no adapter".into()) };
        let table = summary(&list, &[good, bad, absent]);
        let expected = "| permutations of | number | here | here | there |\n|---|---|---|---|---|\n\
            | loss | 2 | all, 3.0e-6 | **1**, 1.0e-7 | – |\n| sum | 1 | all | **0** | – |\n\
            | **all** | 3 | all, 3.0e-6 | **1**, 1.0e-7 | – |\n";
        assert_eq!(table, expected);
    }

    #[test]
    fn what_a_stack_lacks_is_no_fault_and_is_named() {
        // The last has no job, because no device here can plan it.
        let list = permutations(&format!("{LIST}d4\tsum\tsum of f16\tf16\n")).unwrap();
        let column = column("# x\nk1\t1e-7\t\nk2\t0\t\nk3\t-\tsubgroups\n");
        assert_eq!(column.faults(&list).count(), 0);
        let lacking = BTreeMap::from([("subgroups".to_owned(), 1), ("f16".to_owned(), 1)]);
        assert_eq!(column.lacking(&list), lacking);
        let table = summary(&list, &[column]);
        assert!(table.contains("| sum | 2 | – |\n| **all** | 4 | all but 2, 1.0e-7 |"), "{table}");
    }

    #[test]
    fn a_permutation_without_a_job_is_a_fault() {
        let list = permutations(&format!("{LIST}d4\tsum\tsum 65\t\n")).unwrap();
        let column = column("# x\nk1\t0\t\nk2\t0\t\nk3\t0\t\n");
        assert_eq!(column.faults(&list).collect::<Vec<_>>(), ["here: sum 65: did not run"]);
    }

    #[test]
    fn every_permutation_has_a_row() {
        let list = permutations(LIST).unwrap();
        let table = full(&list, &[column("# x\nk1\t0\t\n")]);
        assert_eq!(table.lines().count(), 2 + list.len());
        assert!(table.contains("| loss mse `a1` | loss | all |"), "{table}");
    }

    #[test]
    fn broken_lists_are_refused() {
        assert!(permutations("a1\tloss\n").is_err());
        assert!(works("k1\tone\ta1\n").is_err());
        assert!(fates("k1\t0\t\n", &[]).is_err());
        for line in ["k1\t1", "k1\tx\t"] {
            assert!(fates(&format!("# x\n{line}\n"), &[]).is_err(), "{line}");
        }
    }
}
