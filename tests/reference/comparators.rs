//! Each comparator must detect a planted error.

use crate::common::golden::{directory, load};
use crate::common::{compare, relative_max_norm};
use std::fs;
use std::path::PathBuf;

#[test]
fn relative_max_norm_finds_a_planted_error() {
    let want = [1.0, -4.0, 0.5];
    assert_eq!(relative_max_norm(&want, &want), 0.0);
    assert_eq!(relative_max_norm(&[1.0, -4.0, 0.75], &want), 0.0625);
    assert_eq!(relative_max_norm(&[1.0, 4.0, 0.5], &want), 2.0);
    assert_eq!(relative_max_norm(&[1.0, f64::NAN, 0.5], &want), f64::INFINITY);
    assert_eq!(relative_max_norm(&want, &[1.0, f64::NAN, 0.5]), f64::INFINITY);
    assert_eq!(relative_max_norm(&[1.0, f64::INFINITY, 0.5], &want), f64::INFINITY);
    assert_eq!(relative_max_norm(&want[..2], &want), f64::INFINITY);
    assert_eq!(relative_max_norm(&[0.0, 0.25], &[0.0, 0.0]), 0.25);
}

#[test]
fn compare_reports_how_many_and_where() {
    let mut got = vec![1.0; 100];
    assert_eq!(compare("t", &got, &[1.0; 100], 0.0), Ok(0.0));
    got[7] = 1.5;
    got[42] = 3.0;
    let report = compare("grad", &got, &[1.0; 100], 0.1).unwrap_err();
    assert!(
        report.contains("grad: 2e0 > 1e-1; 2/100 over the bound, worst at [42]: got 3e0, want 1e0, Δ 2e0"),
        "{report}"
    );
    assert!(report.contains("first: [7]: got 1.5e0"), "{report}");
    got[50] = f64::NAN;
    let report = compare("grad", &got, &[1.0; 100], 0.1).unwrap_err();
    assert!(report.contains("3/100 over the bound, worst at [50]: got NaN"), "{report}");
    assert!(compare("grad", &got[..99], &[1.0; 100], 0.1).unwrap_err().contains("99 elements"));
}

/// The golden vectors, damaged by a planted error in one result.
#[test]
fn golden_comparison_finds_a_planted_error() {
    let case = load(&directory()).unwrap().remove(0).unwrap();
    let want = &case.tensors["hesscale.2.weight"];
    let mut got = want.clone();
    assert!(compare("hesscale", &got, want, 1e-11).is_ok());
    got[5] += 1e-9 * want.iter().fold(0.0, |m: f64, w| m.max(w.abs()));
    assert!(compare("hesscale", &got, want, 1e-11).is_err());
}

/// Instance normalisation takes the bias below it away, and nothing else is 0.
#[test]
fn what_cancels_to_rounding_is_zero() {
    let cases = load(&directory()).unwrap();
    let case = cases.into_iter().map(|case| case.unwrap()).find(|case| case.name == "norm_group_conv_ce_b3");
    let case = case.unwrap();
    let zeros = case.tensors.iter().filter(|(_, tensor)| tensor.iter().all(|x| *x == 0.0));
    assert_eq!(
        zeros.map(|(name, _)| &name[..]).collect::<Vec<_>>(),
        ["ggn.3.bias", "grad.3.bias", "hess.3.bias"]
    );
}

/// A scratch directory for vectors that a test damages; removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("hesscale-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn damaged_vectors_are_errors_that_name_the_file() {
    let scratch = Scratch::new("damaged");
    let missing = load(&scratch.0).unwrap_err();
    assert!(missing.contains("cases.json"), "{missing}");
    fs::write(scratch.0.join("cases.json"), "{\"cases\": 3}").unwrap();
    assert!(load(&scratch.0).unwrap_err().contains("cases.json"));

    let name = "mlp_relu_ce_b1.safetensors";
    fs::copy(directory().join("cases.json"), scratch.0.join("cases.json")).unwrap();
    let good = fs::read(directory().join(name)).unwrap();
    let read = |bytes: &[u8]| {
        fs::write(scratch.0.join(name), bytes).unwrap();
        load(&scratch.0).unwrap().into_iter().nth(1).unwrap().map(|case| case.name)
    };
    assert_eq!(read(&good), Ok("mlp_relu_ce_b1".into()));
    for (damage, bytes) in [
        ("empty", Vec::new()),
        ("cut in the header", good[..100].to_vec()),
        ("cut in the data", good[..good.len() - 1].to_vec()),
        ("a tensor renamed", replace(&good, b"param.2.bias", b"param.3.bias")),
        ("a number type changed", replace(&good, b"\"F32\"", b"\"I32\"")),
    ] {
        let error = read(&bytes).expect_err(damage);
        assert!(error.contains(name), "{damage}: {error}");
    }
    // The list's other files do not exist.
    assert!(load(&scratch.0).unwrap()[0].as_ref().unwrap_err().contains("mlp_tanh_ce_b37.safetensors"));
}

/// Every occurrence of `from` replaced by `to`, of the same length.
fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for at in 0..bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + from.len()].copy_from_slice(to);
        }
    }
    bytes
}
