//! `docs/isa.md`: what is to be known of the command, and what it found.

use std::collections::BTreeMap;

use super::compile::CRASHED;
use super::devices::{DEVICES, Device};
use super::figures::Figures;
use super::index::{Kind, Text};
use super::rows::{Row, Rows, by_tile};

/// The part that is written by hand.
const HEAD: &str = include_str!("head.md");

/// All that was said.
pub(crate) type Findings<'a> = Vec<(&'static Device, &'a Text, Result<Figures, String>)>;

pub(crate) fn document(version: &str, rows: &Rows, findings: &Findings<'_>) -> String {
    let devices = DEVICES.iter().map(|device| {
        let which = device.variable.map_or("-".into(), |(name, value)| format!("`{name}={value}`"));
        format!(
            "| `{}` | {} | {} | {which} | {} |\n",
            device.name,
            device.title,
            device.driver,
            device.classes.join(", ")
        )
    });
    let devices: String = devices.collect();
    let tables = tables(rows, findings);
    format!("{}\nMesa {version}.\n\n{tables}", HEAD.replace("DEVICES\n", &devices))
}

/// What was found.
pub(crate) fn tables(rows: &Rows, findings: &Findings<'_>) -> String {
    let is_found = |device: &&Device| findings.iter().any(|(found, ..)| found.name == device.name);
    let devices: Vec<&Device> = DEVICES.iter().filter(is_found).collect();
    let [alone, pairs] = [false, true].map(|pair| tiles(rows, &devices, pair));
    let references = references(findings, &devices);
    let sections = [
        ("Chosen tiles", alone),
        ("Two products in one dispatch", pairs),
        ("By hand", references),
        ("The worst of the other pipelines", worst(findings)),
        ("Texts that a compiler fails on", failed(findings)),
    ];
    let sections = sections.into_iter().filter(|(_, text)| !text.is_empty());
    sections.map(|(title, text)| format!("## {title}\n\n{text}\n")).collect::<String>().trim_end().to_owned()
        + "\n"
}

fn head(columns: &[&str], devices: &[&Device]) -> String {
    let titles = columns.iter().copied().chain(devices.iter().map(|device| device.title));
    let titles: Vec<&str> = titles.collect();
    format!("| {} |\n|{}\n", titles.join(" | "), "---|".repeat(titles.len()))
}

fn tiles(rows: &Rows, devices: &[&Device], pair: bool) -> String {
    let lines: String = by_tile(rows, devices)
        .into_iter()
        .filter(|((other, ..), _)| *other == pair)
        .map(|((_, usage, components, tile), cells)| {
            let bytes = cells.iter().flatten().map(|row| row.bytes).max().unwrap_or(0);
            let cells: Vec<String> = cells.into_iter().map(|row| row.map_or("".into(), cell)).collect();
            format!("| {usage} | {components} | {tile} | {bytes} | {} |\n", cells.join(" | "))
        })
        .collect();
    if lines.is_empty() { lines } else { head(&["use", "P", "tile", "bytes"], devices) + &lines }
}

/// `80 % 144 5`: share, registers, waves; then loads from workgroup memory, and what is wrong.
fn cell(row: &Row) -> String {
    let share = row.share.map_or(String::new(), |share| format!("{share} % "));
    let bits = if row.bits > 0 { format!(" {}b", row.bits) } else { String::new() };
    let waves = if row.waves == u32::MAX { 0 } else { row.waves };
    let faults: String =
        row.faults.iter().map(|fault| format!("; **{}**", fault_in_short(*fault, row))).collect();
    format!("{share}{} {waves}{bits}{faults}", row.registers)
}

fn fault_in_short(fault: super::rows::Fault, row: &Row) -> String {
    use super::rows::Fault;
    match fault {
        Fault::Spills => format!("spills {}", row.spills),
        Fault::Waits => format!("waits {}/{}", row.waited, row.loads),
        Fault::Rolled | Fault::Crash => fault.name().into(),
    }
}

fn references(findings: &Findings<'_>, devices: &[&Device]) -> String {
    let mut lines: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (device, text, said) in findings.iter().filter(|(_, text, _)| text.kind == Kind::Reference) {
        let cells = lines.entry(text.label.as_str()).or_insert_with(|| vec![String::new(); devices.len()]);
        let at = devices.iter().position(|known| known.name == device.name);
        let cell = match said {
            Err(_) => CRASHED.into(),
            Ok(Figures { registers, spills, waves, hot, .. }) => {
                let hot = hot.as_ref().map_or((String::new(), String::new()), |hot| {
                    let bits =
                        hot.shared_bits.checked_div(hot.shared).map_or("".into(), |bits| format!(" {bits}b"));
                    let waits = if hot.waited > 0 {
                        format!("; waits {}/{}", hot.waited, hot.loads)
                    } else {
                        "".into()
                    };
                    (format!("{:.0} % ", 100.0 * hot.share()), bits + &waits)
                });
                let spills = if *spills > 0 { format!("; spills {spills}") } else { String::new() };
                format!("{}{registers} {waves}{}{spills}", hot.0, hot.1)
            }
        };
        at.into_iter().for_each(|at| cells[at].clone_from(&cell));
    }
    let line = |(label, cells): (&str, Vec<String>)| {
        format!("| `tests/isa/{label}.wgsl` | {} |\n", cells.join(" | "))
    };
    let lines: String = lines.into_iter().map(line).collect();
    if lines.is_empty() { lines } else { head(&["kernel"], devices) + &lines }
}

/// Pipelines that are no chosen product's: of each device those that spill most, and the longest.
fn worst(findings: &Findings<'_>) -> String {
    const SHOWN: usize = 4;
    let mut text = String::new();
    for device in &DEVICES {
        let others: Vec<(&Text, &Figures)> = findings
            .iter()
            .filter(|(of, text, _)| of.name == device.name && text.kind != Kind::Reference)
            .filter(|(_, text, _)| !text.is_product() || !device.is_of(&text.chosen))
            .filter_map(|(_, text, said)| Some((*text, said.as_ref().ok()?)))
            .collect();
        let mut most = |what: &str, of: fn(&Figures) -> u32| {
            let mut some: Vec<_> = others.iter().filter(|(_, figures)| of(figures) > 0).collect();
            some.sort_by_key(|(_, figures)| std::cmp::Reverse(of(figures)));
            let all = some.len();
            for (other, figures) in some.into_iter().take(SHOWN) {
                text += &format!(
                    "| {} | {} {what} | {all} | {} | `{}` |\n",
                    device.title,
                    of(figures),
                    other.label,
                    other.id
                );
            }
        };
        most("spills", |figures| figures.spills);
        most("bytes of code", |figures| figures.code);
    }
    if text.is_empty() {
        text
    } else {
        format!("| device | | of | pipeline | text |\n|---|---|---|---|---|\n{text}")
    }
}

fn failed(findings: &Findings<'_>) -> String {
    let lines = findings.iter().filter_map(|(device, text, said)| {
        let why = said.as_ref().err()?;
        Some(format!("| {} | {} | `{}` | {} |\n", device.title, text.label, text.id, why.replace('|', "/")))
    });
    let lines: String = lines.collect();
    if lines.is_empty() {
        lines
    } else {
        format!("| device | pipeline | text | why |\n|---|---|---|---|\n{lines}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::index;
    use super::super::rows::rows;
    use super::*;
    use crate::stage::repository;
    use crate::tools::read;

    #[test]
    fn all_that_was_found_is_shown() {
        let line = index::tests::LINE;
        let other =
            line.replace("0a\t", "0b\t").replace("\ttile\t", "\tother\t").replace("\tgemm\t", "\tloss\t");
        let hand = line
            .replace("0a\t", "0c\t")
            .replace("\ttile\t", "\treference\t")
            .replace("\tgemm\t", "\tby_hand\t");
        let texts = index::read(&format!("\n{line}\n{other}\n{hand}")).unwrap();
        let navi = Device::of("navi31").unwrap();
        let figures = Figures { registers: 96, spills: 7, waves: 8, code: 4321, hot: None, loops: vec![] };
        let mut findings: Findings<'_> = texts.iter().map(|text| (navi, text, Ok(figures.clone()))).collect();
        findings.push((navi, &texts[1], Err("not possible".into())));
        let rows = rows(findings.iter().map(|(device, text, said)| (*device, *text, said)));
        let text = document("26", &rows, &findings);
        for wanted in [
            "| signal | 2 | 4x4 of 8x8 in 2x8 | 512 | 96 8; **spills 7** |",
            "| `tests/isa/by_hand.wgsl` | 96 8; spills 7 |",
            "| AMD RDNA 3 | 7 spills | 1 | loss | `0b` |",
            "| AMD RDNA 3 | 4321 bytes of code | 1 | loss | `0b` |",
            "| AMD RDNA 3 | loss | `0b` | not possible |",
            "| `a730` | Adreno 730 |",
        ] {
            assert!(text.contains(wanted), "{wanted}\n{text}");
        }
    }

    /// The repository's document begins as it would be written now.
    #[test]
    fn the_documents_head_is_this_one() {
        let written = read(&repository().join("docs/isa.md")).unwrap();
        let now = document("x", &Rows::new(), &Vec::new());
        let head = |text: &str| text.split_once("\nMesa ").unwrap().0.to_owned();
        assert_eq!(head(&written), head(&now));
    }
}
