//! What does not fit is said, all at once.

use crate::{directory, model, naming, stored, write};
use hesscale::model::BatchNorm;
use hesscale::train::weights::{Layout, Naming, export, import};
use hesscale::{Error, Loss, Model};

/// One dense layer behind a normalisation of two numbers.
fn small() -> Model {
    let normal = BatchNorm::new(vec![0.0; 2], vec![1.0; 2]);
    Model::builder([2]).layer(normal).dense(3).loss(Loss::mse()).unwrap()
}

#[test]
fn everything_that_is_wrong_is_listed() {
    let path = directory("wrong").join("file.safetensors");
    let (two, six) = ([1.0, 2.0], [f32::INFINITY, 0.0, 0.0, 0.0, 0.0, 0.0]);
    write(
        &path,
        &[
            ("bn.weight", &[2], &two),
            ("bn.running_mean", &[1, 2], &two),
            ("bn.running_var", &[2], &two),
            ("bn.num_batches_tracked", &[], &[0.0]),
            ("fc.weight", &[3, 2], &six),
            ("fc.scale", &[2], &two),
            ("head.weight", &[2], &two),
        ],
    );
    let error = import(&path, &small(), &Naming::in_order(["bn", "fc"]).skip("head.*")).unwrap_err();
    let text = error.to_string();
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        error,
        Error::Weights {
            path: path.clone(),
            missing: list(&["`bn.bias` (0.bias)", "`fc.bias` (1.bias)"]),
            left_over: list(&["bn.num_batches_tracked", "fc.scale"]),
            unfit: list(&[
                "`bn.running_mean` (0.running_mean) is [1, 2], expected [2]",
                "`fc.weight` (1.weight) is not finite in f32 at element 0",
            ]),
        }
    );
    for part in ["missing: `bn.bias` (0.bias), ", "; left over: bn.num", "; unfit: `bn.running_mean`"] {
        assert!(text.contains(part) && text.contains("file.safetensors"), "{text}");
    }

    // A long list is cut in the message alone.
    let error = import(&path, &model(), &Naming::in_order(["a", "b", "c", "d", "e", "f"])).unwrap_err();
    assert!(error.to_string().contains("`d.weight` (5.body.0.weight) and 5 more; left over: "), "{error}");
    assert!(matches!(error, Error::Weights { missing, .. } if missing.len() == 13));
}

/// A kernel that lies otherwise is refused with the layout that would do; it is not taken.
#[test]
fn a_transposed_kernel_is_not_guessed() {
    let error =
        import(stored("torch_f32.safetensors"), &model(), &naming().layout("fc.weight", Layout::InOut));
    let Err(Error::Weights { unfit, .. }) = error else { panic!("{error:?}") };
    assert_eq!(unfit, ["`fc.weight` (10.weight) is [5, 108], expected [108, 5]"]);
    let path = directory("transposed").join("file.safetensors");
    write(&path, &[("0.weight", &[2, 3], &[0.0; 6]), ("0.bias", &[3], &[0.0; 3])]);
    let model = Model::builder([2]).dense(3).loss(Loss::mse()).unwrap();
    let Err(Error::Weights { unfit, .. }) = import(&path, &model, &Naming::sequential()) else { panic!() };
    assert_eq!(unfit, ["`0.weight` is [2, 3], expected [3, 2]; Layout::InOut has that shape"]);
}

#[test]
fn a_naming_that_fits_no_model() {
    let model = small();
    let refused = |naming: Naming| {
        let error = naming.tensors(&model).unwrap_err();
        // Before a file is looked for.
        assert_eq!(import("no/such/file", &model, &naming).unwrap_err(), error);
        error
    };
    let length = Error::Length { tensor: "names of layers with parameters".into(), got: 1, needed: 2 };
    assert_eq!(refused(Naming::in_order(["fc"])), length);
    let unknown =
        |what, name: &str, known: &str| Error::Unknown { what, name: name.into(), known: known.into() };
    assert_eq!(refused(Naming::sequential().layer("2", "fc")), unknown("layer with parameters", "2", "0, 1"));
    let all = "0.weight, 0.bias, 0.running_mean, 0.running_var, 1.weight, 1.bias";
    let pattern = "tensor by the pattern";
    assert_eq!(refused(Naming::sequential().rename("fc.*", "1.*")), unknown(pattern, "fc.*", all));
    let mistyped = Naming::sequential().layout("1.kernel", Layout::InOut);
    assert_eq!(refused(mistyped), unknown(pattern, "1.kernel", all));
    let stars = Error::Value {
        place: "naming".into(),
        name: "the stars of a new name",
        value: 2.0,
        needed: "at most its pattern's",
    };
    assert_eq!(refused(Naming::sequential().rename("*.weight", "*.*")), stars);
    let same = Error::SameName { name: "fc.weight".into(), one: "0.weight".into(), other: "1.weight".into() };
    assert_eq!(refused(Naming::in_order(["fc", "fc"])), same);
    let shape = |layer: &str, got: &[usize], needed: &str| Error::Shape {
        layer: layer.into(),
        got: got.to_vec(),
        needed: needed.into(),
    };
    assert_eq!(
        refused(Naming::in_order(["bn", "fc"]).layout("*.weight", Layout::InOut)),
        shape("`bn.weight` (0.weight)", &[2], "what Layout::InOut applies to")
    );
    assert_eq!(
        refused(Naming::sequential().layout("1.weight", Layout::ImageInOut([1, 2, 2]))),
        shape("`1.weight`", &[3, 2], "what Layout::ImageInOut([1, 2, 2]) applies to")
    );
    assert!(matches!(
        refused(Naming::sequential().layout("1.weight", Layout::Depthwise)),
        Error::Shape { .. }
    ));
    assert!(matches!(
        Naming::sequential().parameter(&model, "fc"),
        Err(Error::Unknown { what: "parameter", .. })
    ));
    assert!(matches!(model.parameter_named("fc"), Err(Error::Unknown { what: "parameter", .. })));
}

#[test]
fn files_that_cannot_be_read_or_written() {
    let directory = directory("unreadable");
    let path = directory.join("file.safetensors");
    let problem = |outcome: hesscale::Result<()>| match outcome {
        Err(Error::File { path: of, problem, help, source: Some(_) }) if of == path => (problem, help),
        other => panic!("{other:?}"),
    };
    let read = || import(&path, &model(), &naming()).map(drop);
    assert!(problem(read()).0.starts_with("cannot be read: "));
    std::fs::write(&path, b"PK\x03\x04 a zip file, as torch.save writes it").unwrap();
    let (said, help) = problem(read());
    assert!(
        said.starts_with("is damaged or no safetensors file: ") && help.contains("save_file"),
        "{said}; {help}"
    );
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let (model, parameters) = import(stored("torch_f32.safetensors"), &model(), &naming()).unwrap();
    let written = |parameters: &[f32]| export(&path, &model, parameters, &naming());
    assert!(problem(written(&parameters)).0.starts_with("cannot be written: "));
    assert!(matches!(written(&parameters[1..]), Err(Error::Length { .. })));
    let broken = [&[f32::NAN], &parameters[1..]].concat();
    assert_eq!(written(&broken), Err(Error::Diverged { what: "a parameter", step: None }));
}

/// Statistics are checked as a model's are, and the file says which are wrong.
#[test]
fn a_negative_variance_is_refused() {
    let path = directory("variance").join("file.safetensors");
    let tensors: [(&str, &[usize], &[f32]); 4] = [
        ("bn.weight", &[2], &[1.0; 2]),
        ("bn.bias", &[2], &[1.0; 2]),
        ("bn.running_mean", &[2], &[-1.0; 2]),
        ("bn.running_var", &[2], &[1.0, -1.0]),
    ];
    write(&path, &tensors);
    let refused = import(&path, &small(), &Naming::in_order(["bn", "fc"]).skip("fc.*")).unwrap_err();
    let unfit =
        vec!["`bn.running_var` (0.running_var) is -1 at element 1, expected variances >= 0".to_owned()];
    assert_eq!(refused, Error::Weights { path, missing: vec![], left_over: vec![], unfit });
}

/// A pattern that skips nothing is mistyped; PyTorch's counters need not be in a file that was written here.
#[test]
fn a_pattern_that_skips_nothing() {
    let path = directory("skips").join("file.safetensors");
    let naming = || Naming::in_order(["bn", "fc"]).skip("*.num_batches_tracked");
    let parameters = vec![0.5; small().flat_len()];
    export(&path, &small(), &parameters, &naming()).unwrap();
    import(&path, &small(), &naming()).unwrap();
    import(&path, &small(), &naming().skip("bn.running_*").skip("fc.bias")).unwrap();
    let all = "bn.bias, bn.running_mean, bn.running_var, bn.weight, fc.bias, fc.weight";
    for mistyped in ["*.num_batches_traked", "fc*.scale", "head.*"] {
        let refused = import(&path, &small(), &naming().skip(mistyped)).unwrap_err();
        let (what, name, known) = ("tensor by the pattern", mistyped.into(), all.into());
        assert_eq!(refused, Error::Unknown { what, name, known });
    }
    // Without a file nobody knows what else it has.
    assert_eq!(naming().skip("head.*").tensors(&small()).unwrap().len(), 6);
}
