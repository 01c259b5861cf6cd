//! What was found last: `tests/isa/baseline.tsv`, which what is found now is compared with.

use std::collections::BTreeSet;

use super::devices::Device;
use super::rows::{Fault, Key, Row, Rows};

/// Of a row; the rest is in `docs/isa.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    registers: u32,
    share: Option<u32>,
    spills: u32,
    waited: u32,
    faults: BTreeSet<Fault>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Baseline {
    /// Of Mesa.
    version: String,
    rows: std::collections::BTreeMap<Key, Known>,
}

const COLUMNS: &str = "device\tdispatch\tuse\tcomponents\ttile\tregisters\tshare\tspills\twaited\tfaults";

impl Baseline {
    pub(crate) fn of(version: &str, rows: &Rows) -> Baseline {
        let known = |row: &Row| {
            let Row { registers, share, spills, waited, .. } = *row;
            Known { registers, share, spills, waited, faults: row.faults.clone() }
        };
        let rows = rows.iter().map(|(key, row)| (key.clone(), known(row))).collect();
        Baseline { version: version.into(), rows }
    }

    pub(crate) fn read(text: &str) -> Result<Baseline, String> {
        let mut lines = text.lines();
        let version = lines.next().and_then(|line| line.strip_prefix("# Mesa "));
        let version = version.ok_or("the baseline names no Mesa")?.to_owned();
        let rows =
            lines.skip(1).map(|line| row(line).ok_or_else(|| format!("`{line}` is no row of a baseline")));
        Ok(Baseline { version, rows: rows.collect::<Result<_, _>>()? })
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!("# Mesa {}\n{COLUMNS}\n", self.version);
        for (Key { pair, usage, components, tile, device }, known) in &self.rows {
            let dispatch = if *pair { "pair" } else { "alone" };
            let share = known.share.map_or("-".into(), |share| share.to_string());
            let faults: Vec<&str> = known.faults.iter().map(|fault| fault.name()).collect();
            let faults = if faults.is_empty() { "-".into() } else { faults.join(" ") };
            let Known { registers, spills, waited, .. } = known;
            text += &format!(
                "{device}\t{dispatch}\t{usage}\t{components}\t{tile}\t{registers}\t{share}\t{spills}\t{waited}\t{faults}\n"
            );
        }
        text
    }

    /// What is wrong now and was not, and what has become worse.
    pub(crate) fn problems(&self, version: &str, rows: &Rows) -> Vec<String> {
        let mut problems = Vec::new();
        for (key, row) in rows {
            let known = self.rows.get(key);
            let title = Device::of(key.device).map_or(key.device, |device| device.title);
            let name = format!("{title}: {} of {}, {}", key.usage, key.components, key.tile);
            let excused = |fault: &&Fault| known.is_some_and(|known| known.faults.contains(fault));
            for fault in row.faults.iter().filter(|fault| !excused(fault)) {
                problems.push(format!("{name}: {}", described(*fault, row)));
            }
            // Another compiler's numbers are others.
            let Some(known) = known.filter(|_| self.version == version) else { continue };
            for (what, now, was) in [
                ("registers", row.registers, known.registers),
                ("spills", row.spills, known.spills),
                ("loads are waited for", row.waited, known.waited),
            ] {
                if now > was {
                    problems.push(format!("{name}: {now} {what}, were {was}"));
                }
            }
            if let (Some(share), Some(was)) = (row.share, known.share)
                && share < was
            {
                problems.push(format!("{name}: {share} % of the loop are multiply-adds, were {was}"));
            }
        }
        problems
    }

    /// The number of rows with faults that were known before.
    pub(crate) fn excused(&self, rows: &Rows) -> usize {
        let known = |(key, row): &(&Key, &Row)| {
            self.rows
                .get(key)
                .is_some_and(|known| row.faults.iter().any(|fault| known.faults.contains(fault)))
        };
        rows.iter().filter(known).count()
    }

    /// Why numbers are not compared, if they are not.
    pub(crate) fn strange(&self, version: &str) -> Option<String> {
        let other = self.version != version;
        other.then(|| {
            format!("the baseline is Mesa {}'s, this is {version}: only faults are compared", self.version)
        })
    }
}

fn row(line: &str) -> Option<(Key, Known)> {
    let [device, dispatch, usage, components, tile, registers, share, spills, waited, faults] =
        line.split('\t').collect::<Vec<_>>()[..]
    else {
        return None;
    };
    let fault = |name: &str| Fault::ALL.into_iter().find(|fault| fault.name() == name);
    let key = Key {
        pair: match dispatch {
            "pair" => true,
            "alone" => false,
            _ => return None,
        },
        usage: usage.into(),
        components: components.parse().ok()?,
        tile: tile.into(),
        device: Device::of(device)?.name,
    };
    let known = Known {
        registers: registers.parse().ok()?,
        share: if share == "-" { None } else { Some(share.parse().ok()?) },
        spills: spills.parse().ok()?,
        waited: waited.parse().ok()?,
        faults: faults.split(' ').filter(|name| *name != "-").map(fault).collect::<Option<_>>()?,
    };
    Some((key, known))
}

fn described(fault: Fault, row: &Row) -> String {
    match fault {
        Fault::Crash => "the compiler makes no program of it".into(),
        Fault::Spills => format!("spills {} registers", row.spills),
        Fault::Rolled => "the products of a stage are not unrolled".into(),
        Fault::Waits => format!("{} of {} loads are waited for before the products", row.waited, row.loads),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key {
            pair: false,
            usage: "signal".into(),
            components: 2,
            tile: "4x4 of 8x8".into(),
            device: "navi31",
        }
    }

    fn row(registers: u32, share: Option<u32>, faults: &[Fault]) -> Rows {
        let row = Row {
            registers,
            spills: 1,
            waves: 8,
            share,
            loads: 8,
            waited: 4,
            bits: 128,
            bytes: 0,
            faults: faults.iter().copied().collect(),
        };
        Rows::from([(key(), row)])
    }

    #[test]
    fn a_baseline_reads_what_it_writes() {
        for rows in [row(96, Some(80), &[]), row(96, None, &[Fault::Spills, Fault::Waits]), Rows::new()] {
            let baseline = Baseline::of("26", &rows);
            assert_eq!(Baseline::read(&baseline.text()), Ok(baseline));
        }
        for broken in
            ["", "# Mesa 26\nhead\nnavi31\talone", "# Mesa 26\nhead\nx\talone\ts\t1\tt\t1\t1\t0\t0\t-"]
        {
            assert!(Baseline::read(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn what_is_worse_is_a_problem() {
        let baseline = Baseline::of("26", &row(96, Some(80), &[]));
        let problems = |rows: Rows| baseline.problems("26", &rows).join("; ");
        assert_eq!(problems(row(96, Some(80), &[])), "");
        assert_eq!(problems(row(90, Some(85), &[])), "");
        assert!(problems(row(97, Some(80), &[])).contains("97 registers, were 96"));
        assert!(problems(row(96, Some(79), &[])).contains("79 % of the loop"));
        let more = |change: fn(&mut Row)| {
            let mut rows = row(96, Some(80), &[]);
            rows.values_mut().for_each(change);
            problems(rows)
        };
        assert!(more(|row| row.spills += 1).contains("2 spills, were 1"));
        assert!(more(|row| row.waited += 1).contains("5 loads are waited for, were 4"));
        // Of another Mesa only what is wrong counts.
        assert_eq!(baseline.problems("27", &row(97, Some(79), &[])), [""; 0]);
        assert!(baseline.strange("27").is_some() && baseline.strange("26").is_none());
        assert_eq!(baseline.problems("27", &row(96, Some(80), &[Fault::Rolled])).len(), 1);
    }

    #[test]
    fn every_fault_is_a_problem_unless_it_was_known() {
        for fault in Fault::ALL {
            let rows = row(96, Some(80), &[fault]);
            let clean = Baseline::of("26", &row(96, Some(80), &[]));
            let problems = clean.problems("26", &rows);
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].starts_with("AMD RDNA 3: signal of 2, 4x4 of 8x8: "), "{problems:?}");
            assert_eq!(Baseline::default().problems("26", &rows).len(), 1);
            let known = Baseline::of("26", &rows);
            assert_eq!(
                (known.problems("26", &rows).len(), known.excused(&rows), clean.excused(&rows)),
                (0, 1, 0)
            );
        }
    }
}
