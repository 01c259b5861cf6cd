//! Losses and activations in the user's own WGSL: what is wrong with a text is told in its lines; JSON; equality.

#[path = "../common/own.rs"]
#[allow(dead_code)] // some are run by other tests only
pub(crate) mod texts;

use hesscale::model::{CustomActivation, CustomLoss, Term};
use hesscale::{Activation, Error, Loss, Model};

/// Where the text is wrong, and how.
fn place(error: Error) -> (Option<[usize; 2]>, String) {
    match error {
        Error::Plug { plug, place, problem } => {
            assert!(["loss `mine`", "activation `mine`"].contains(&&plug[..]), "{plug}");
            (place, problem)
        }
        other => panic!("{other}"),
    }
}

fn term(wgsl: &str) -> (Option<[usize; 2]>, String) {
    place(CustomLoss::elementwise("mine", wgsl).unwrap_err())
}

fn row(wgsl: &str) -> (Option<[usize; 2]>, String) {
    place(CustomLoss::by_row("mine", wgsl).unwrap_err())
}

fn act(wgsl: &str) -> (Option<[usize; 2]>, String) {
    place(CustomActivation::new("mine", wgsl).unwrap_err())
}

const GOOD: &str = "fn term(z: f32, y: f32) -> Term { return Term(z - y, 1.0, 0.0); }";

#[track_caller]
fn told((at, problem): (Option<[usize; 2]>, String), want: Option<[usize; 2]>, words: &[&str]) {
    assert_eq!(at, want, "{problem}");
    for word in words {
        assert!(problem.contains(word), "no `{word}` in: {problem}");
    }
}

#[test]
fn what_does_not_compile_is_told_in_its_own_lines() {
    let text =
        "fn term(z: f32, y: f32) -> Term {\n    /* ä */ let r = z - why;\n    return Term(r, 1.0, 0.0);\n}";
    told(term(text), Some([2, 25]), &["no definition in scope", "why", "2 │", "ä"]);
    told(term("fn term(z: f32, y: f32) -> Term {\n    return 1.0;\n}"), Some([2, 12]), &["Term"]);
    told(term("fn term(z: f32"), Some([1, 15]), &["expected"]);
    told(
        term("fn term(z: f32, y: f32) -> Term { let a = array<f32, 2>(z, y); return Term(a[5], 1.0, 0.0); }"),
        Some([1, 76]),
        &["index 5"],
    );
    told(
        act(
            "fn act(a: f32) -> f32 { return f(a); }\nfn act_d(a: f32) -> vec2<f32> { return vec2(1.0, 0.0); }",
        ),
        Some([1, 32]),
        &["`f`"],
    );
    // Of another stage than that of compute.
    told(
        term("fn term(z: f32, y: f32) -> Term {\n return Term(dpdx(z), 1.0, 0.0); }"),
        Some([1, 4]),
        &["a compute shader cannot"],
    );
    // What a device may not have.
    let (at, problem) = term("fn term(z: f32, y: f32) -> Term { return Term(f32(f64(z)), 1.0, 0.0); }");
    assert!(at.is_some_and(|[line, _]| line == 1), "{at:?}: {problem}");
    let error =
        CustomLoss::elementwise("mine", "fn term(z: f32, y: f32) -> Term {\n    return 1.0;\n}").unwrap_err();
    assert!(error.to_string().starts_with("loss `mine`, line 2, column 12: "), "{error}");
}

/// What is wrong only where the library goes on is told where the text made it so.
#[test]
fn what_does_not_fit_the_library_is_told_in_the_text() {
    let parts = "fn read_row() -> f32 { return 0.0; }\nfn part(row: f32, k: u32) -> Term { return Term(row, 0.0, 0.0); }";
    for (declared, column) in [
        ("const Row = 1.0;", 7),
        ("fn Row() {}", 4),
        ("var<private> Row: f32;", 14),
        ("alias Row = ptr<function, f32>;", 7),
        ("alias Row = atomic<u32>;", 7),
        ("alias Row = texture_2d<f32>;", 7),
    ] {
        let told_of = row(&format!("{declared}\n{parts}"));
        told(told_of, Some([1, column]), &["`Row` must be declared as `struct Row`"]);
    }
    for name in ["u32", "i32", "bool"] {
        told(
            term(&format!("{GOOD}\nalias {name} = vec2<f32>;")),
            Some([2, 7]),
            &[&format!("`{name}`"), "the library has"],
        );
    }
    // Nor does an attribute go over to what stands there.
    for attribute in ["@must_use", "@compute @workgroup_size(1)", "@"] {
        told(
            term(&format!("{GOOD}\n {attribute} // not\n")),
            Some([2, 2]),
            &[&format!("`{attribute}` stands before nothing")],
        );
    }
}

#[test]
fn what_a_text_may_not_declare_is_refused_by_name() {
    let with = |more: &str| term(&format!("{GOOD}\n{more}"));
    told(
        with("@group(0) @binding(0) var<storage, read> data: array<f32>;"),
        Some([2, 42]),
        &["`data` is a binding"],
    );
    told(with("@group(1) @binding(7) var<uniform> data: f32;"), Some([2, 36]), &["`data` is a binding"]);
    told(
        with("var<workgroup> shared_one: f32;"),
        Some([2, 16]),
        &["`shared_one` is memory of the workgroup"],
    );
    // What has no binding either.
    told(with("var<uniform> data: f32;"), Some([2, 14]), &["`data` is a uniform buffer"]);
    told(with("var<storage> data: f32;"), Some([2, 14]), &["`data` is a storage buffer"]);
    told(with("var data: texture_2d<f32>;"), Some([2, 5]), &["`data` is a texture or a sampler"]);
    told(with("@compute @workgroup_size(1) fn main() {}"), Some([2, 32]), &["`main` is an entry point"]);
    told(with("override many: u32 = 1u;"), Some([2, 10]), &["`many` is an override"]);
    told(with("fn wait() { workgroupBarrier(); }"), Some([2, 13]), &["workgroupBarrier"]);
    told(term(&format!("enable f16;\n{GOOD}")), Some([1, 1]), &["enable"]);
    told(
        with("fn hs_exp(x: f32) -> f32 { return x; }"),
        Some([2, 4]),
        &["`hs_exp` is a name that the library has"],
    );
    told(with("struct Term { value: f32 }"), Some([2, 8]), &["`Term`"]);
    told(with("fn abs(x: f32) -> f32 { return x; }"), Some([2, 4]), &["`abs`"]);
    told(with("fn ä() {}"), Some([2, 4]), &["ASCII"]);
    told(
        with("const off = 1.0;\n@diagnostic(off, derivative_uniformity) fn other() {}"),
        None,
        &["also a word of WGSL"],
    );
    // Names of the shaders that are not the library's are anyone's; what they stand for is nobody's.
    for own in ["p", "logits", "signal", "Part", "main", "own_loss_term"] {
        CustomLoss::elementwise("mine", &format!("{GOOD}\nconst {own} = 1.0;")).unwrap();
        told(term(&GOOD.replace("z - y", own)), Some([1, 47]), &["no definition in scope", own]);
    }
    // Nor is there a row where there is one output.
    told(term(&GOOD.replace("z - y", "output_at(0u)")), Some([1, 47]), &["output_at"]);
}

/// Memory that compilers would put where it is slow, or not at all.
#[test]
fn large_variables_are_refused_by_name() {
    let with = |more: &str| term(&format!("{GOOD}\n{more}"));
    for fits in
        ["var<private> table: array<f32, 1024>;", "fn f() { var a: array<vec4<f32>, 256>; a[3].x = 1.0; }"]
    {
        CustomLoss::elementwise("mine", &format!("{GOOD}\n{fits}")).unwrap();
    }
    told(
        with("var<private> table: array<f32, 1025>;"),
        Some([2, 1]),
        &["`table` is too large", "4096 bytes"],
    );
    told(with("var<private> table: array<vec4<f32>, 67108863>;"), Some([2, 1]), &["`table` is too large"]);
    // The second does not fit beside the first.
    let two = "var<private> one: array<f32, 600>;\nvar<private> two: array<f32, 600>;";
    told(with(two), Some([3, 1]), &["`two` is too large"]);
    told(
        with("fn f() -> f32 { var much: array<f32, 5000>; return much[3]; }"),
        Some([2, 17]),
        &["`much` is too large"],
    );
    told(with("struct Wide { all: array<f32, 5000> }"), Some([2, 1]), &["`Wide` is too large"]);
    let row = "struct Row { all: array<f32, 1100> }
        fn read_row() -> Row { return Row(); }
        fn part(row: Row, k: u32) -> Term { return Term(row.all[0], 0.0, 0.0); }";
    let refused = CustomLoss::by_row("mine", row).unwrap_err().to_string();
    assert!(refused.contains("`Row` is too large"), "{refused}");
}

/// What a function calls is put into it, so that its variables count as often as they are there.
#[test]
fn variables_of_what_is_called_count() {
    let deep = |calls: usize, len: usize| {
        let function = |i: usize| {
            let call = if i < calls { format!("f{}(a)", i + 1) } else { "0.0".into() };
            format!(
                "fn f{i}(a: f32) -> f32 {{ var m: array<f32, {len}>; m[u32(a)] = a; return m[7] + {call}; }}\n"
            )
        };
        let functions: String = (1..=calls).rev().map(function).collect();
        CustomLoss::elementwise("mine", &format!("{functions}{}", GOOD.replace("z - y", "f1(z - y)")))
    };
    for (calls, len) in [(1, 1024), (2, 512), (8, 128)] {
        deep(calls, len).unwrap();
    }
    // `f1` stands on the last line but one, and calls behind its variable.
    for (calls, len, line, bytes) in [(2, 513, 2, 4104), (8, 1020, 2, 8160), (8, 129, 8, 4128)] {
        let (place, problem) = place(deep(calls, len).unwrap_err());
        assert_eq!(place.map(|[line, _]| line), Some(line), "{problem}");
        assert!(problem.contains(&format!("have {bytes} bytes and may have 4096")), "{problem}");
    }
    let wide = |calls: usize| {
        let sum = vec!["f(z)"; calls].join(" + ");
        let function = "fn f(a: f32) -> f32 { var m: array<f32, 256>; m[u32(a)] = a; return m[7]; }\n";
        CustomLoss::elementwise("mine", &format!("{function}{}", GOOD.replace("z - y", &sum)))
    };
    wide(4).unwrap();
    told(place(wide(5).unwrap_err()), Some([2, 75]), &["`term` is too large", "of `f`", "5120 bytes"]);
    // Calls that double at each level, without a variable.
    let doubled = |levels: usize| {
        let function = |i: usize| {
            let body = if i < levels { format!("f{0}(a) + f{0}(a + 1.0)", i + 1) } else { "a".into() };
            format!("fn f{i}(a: f32) -> f32 {{ return {body}; }}\n")
        };
        let functions: String = (1..=levels).rev().map(function).collect();
        CustomLoss::elementwise("mine", &format!("{functions}{}", GOOD.replace("z - y", "f1(z - y)")))
    };
    doubled(10).unwrap();
    let (_, problem) = place(doubled(30).unwrap_err());
    assert!(problem.contains("calls within calls and may be 4096"), "{problem}");
}

/// The end of a row is known when the model is: what is read past it at a constant place is refused then.
#[test]
fn reads_past_a_rows_end() {
    let loss = |read: &str| {
        let text = format!(
            "alias Row = f32;
             const FIFTH = 4u;
             fn plain(x: f32, k: u32) -> f32 {{ let place = k; return x * output_at(place); }}
             fn twice(k: u32) -> f32 {{ return plain(1.0, k) + plain(2.0, k); }}
             fn careful(k: u32) -> f32 {{ if k >= output_count() {{ return 0.0; }} return output_at(k); }}
             fn moved(k: u32) -> f32 {{ return output_at(k - 1u); }}
             fn read_row() -> Row {{ if output_count() > 1u {{ return {read}; }} return 0.0; }}
             fn part(row: Row, k: u32) -> Term {{ return Term(row, output_at(k), 0.0); }}"
        );
        CustomLoss::by_row("mine", &text).unwrap().targets(3)
    };
    let model = |read: &str, outputs| Model::builder([2]).dense(outputs).loss(loss(read));
    for (read, outputs) in [
        ("output_at(4u) + target_at(2)", 5),
        ("output_at(FIFTH)", 5),
        // What is computed is read as the last.
        ("output_at(output_count() + 7u)", 5),
        ("output_at(u32(target_at(0u)) + 9u)", 5),
        ("plain(1.0, FIFTH) + twice(1u) + moved(5u)", 5),
        // What a function looks at first is its own.
        ("careful(9u)", 5),
        ("moved(9u)", 5),
    ] {
        model(read, outputs).unwrap();
    }
    for (read, outputs, problem) in [
        ("output_at(4u)", 4, "`output_at(4u)` reads past the row's end: it has 4 outputs"),
        ("output_at(FIFTH)", 4, "`output_at(4u)`"),
        ("output_at(1u + FIFTH)", 5, "`output_at(5u)`"),
        ("target_at(3)", 5, "`target_at(3u)` reads past the row's end: it has 3 targets"),
        ("target_at(0u) + target_at(9)", 5, "`target_at(9u)`"),
        ("plain(0.0, 5u)", 5, "`output_at(5u)` reads past the row's end: it has 5 outputs"),
        ("twice(2u) + twice(FIFTH)", 4, "`output_at(4u)`"),
    ] {
        let refused = model(read, outputs).unwrap_err();
        let Error::Plug { plug, place: Some([7, _]), problem: said } = &refused else { panic!("{refused}") };
        assert!(plug == "loss `mine`" && said.contains(problem), "{refused}");
    }
    // As a file has it, too.
    let json = model("output_at(4u)", 5).unwrap().to_json();
    let narrow = json.replace("5", "4");
    assert_ne!(narrow, json);
    let refused = Model::from_json(&narrow).unwrap_err();
    assert!(refused.to_string().contains("reads past the row's end"), "{refused}\n{json}");
}

/// Values that are used once, at a place known beforehand, so that nothing of them is left but one number.
#[test]
fn values_of_gigabytes() {
    for value in [
        "array<f32, 1000000000>()[2]",
        "array<vec4<f32>, 300000000>()[2].x",
        "array<array<f32, 60000>, 60000>()[2][1]",
    ] {
        let (place, said) =
            term(&format!("fn term(z: f32, y: f32) -> Term {{ return Term(z + {value}, 1.0, 0.0); }}"));
        assert!(said.contains("too large"), "{value}: {place:?} {said}");
    }
}

/// An alias is the type that it stands for.
#[test]
fn declared_by_aliases() {
    for text in [
        "alias F = f32; fn term(z: F, y: f32) -> Term { return Term(z - y, 1.0, 0.0); }",
        "alias T = Term; fn term(z: f32, y: f32) -> T { return T(z - y, 1.0, 0.0); }",
    ] {
        CustomLoss::elementwise("mine", text).unwrap();
    }
    told(
        term("alias F = u32; fn term(z: F, y: f32) -> Term { return Term(y, 1.0, 0.0); }"),
        Some([1, 19]),
        &["must be declared"],
    );
}

#[test]
fn what_a_text_must_declare_is_asked_for() {
    told(term("fn other() {}"), None, &["does not declare `fn term(z: f32, y: f32) -> Term`"]);
    told(
        term("fn term(z: f32) -> Term { return Term(z, 1.0, 0.0); }"),
        Some([1, 4]),
        &["must be declared as `fn term(z: f32, y: f32) -> Term`"],
    );
    told(
        term("fn term(z: f32, y: u32) -> Term { return Term(z, 1.0, 0.0); }"),
        Some([1, 4]),
        &["must be declared"],
    );
    told(term("fn term(z: f32, y: f32) -> f32 { return z; }"), Some([1, 4]), &["must be declared"]);
    told(term("const term = 1.0;"), Some([1, 7]), &["must be declared"]);
    told(
        row("fn part(k: u32) -> Term { return Term(0.0, 0.0, 0.0); }"),
        None,
        &["does not declare `fn read_row() -> Row`"],
    );
    let no_row = "fn read_row() -> f32 { return 0.0; }\nfn part(row: f32, k: u32) -> Term { return Term(row, 0.0, 0.0); }";
    told(row(no_row), None, &["does not declare `struct Row`"]);
    told(
        row(&no_row.replace("part(row: f32", "part(row: u32").replace("(row, ", "(0.0, ").replacen(
            "fn",
            "struct Row { a: f32 }\nfn",
            1,
        )),
        Some([2, 4]),
        &["`fn read_row() -> Row`"],
    );
    let no_size = "struct Row { a: array<f32> }\nfn read_row() -> Row { return Row(); }\nfn part(row: Row, k: u32) -> Term { return Term(); }";
    told(row(no_size), Some([2, 31]), &["Row"]);
    told(
        act("fn act(a: f32) -> f32 { return a; }"),
        None,
        &["does not declare `fn act_d(a: f32) -> vec2<f32>`"],
    );
    told(
        act("fn act(a: f32) -> f32 { return a; } fn act_d(a: f32) -> vec2<u32> { return vec2(1u); }"),
        Some([1, 40]),
        &["vec2<f32>"],
    );
}

#[test]
fn names_and_lengths_that_are_none_are_refused() {
    for name in ["", "two words", "new\nline", &"x".repeat(65)] {
        let error = CustomLoss::elementwise(name, GOOD).unwrap_err();
        assert!(
            matches!(&error, Error::Plug { place: None, problem, .. } if problem.contains("letters")),
            "{error}"
        );
    }
    let long = format!("{GOOD}\n//{}", "x".repeat(1 << 16));
    told(term(&long), None, &[&format!("{} bytes", long.len())]);
    // Deep enough to be a parser's end.
    let deep = GOOD.replace("z - y", &format!("{}z{}", "(".repeat(20_000), ")".repeat(20_000)));
    assert!(matches!(CustomLoss::elementwise("mine", &deep), Err(Error::Plug { .. })));
    // Branches that are not one behind the other may be many.
    let many = GOOD.replace("return", &format!("{}return", "if z > 0.0 { } else { } ".repeat(600)));
    assert!(CustomLoss::elementwise("mine", &many).is_ok());
    // Where a compiler calls itself without brackets.
    let branches = |count| format!("if z > 0.0 {{ }}{}\n", " else if z < 0.0 { }".repeat(count));
    for (count, refused) in [(200, false), (300, true), (5_000, true), (20_000, true)] {
        for text in [
            GOOD.replace("z - y", &format!("{}z", "z + ".repeat(count))),
            GOOD.replace("z - y", &format!("{}z", "- ".repeat(count))),
            GOOD.replace("return", &format!("{}return", branches(count))),
        ] {
            match (CustomLoss::elementwise("mine", &text), text.len() <= 1 << 16) {
                (Ok(_), _) => assert!(!refused, "{count}"),
                (Err(Error::Plug { problem, place: Some(_), .. }), true) => {
                    assert!(refused && problem.contains("operators"), "{count}: {problem}");
                }
                (error, fits) => assert!(!fits, "{count}: {error:?}"),
            }
        }
    }
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let of =
        |outputs: usize, loss: Loss| Model::builder([outputs]).layer(hesscale::Layer::Identity).loss(loss);
    let none = of(4, texts::cosine().targets(0).into()).unwrap_err();
    assert!(matches!(&none, Error::ZeroSize { place, what: "targets" } if place == "loss"), "{none}");
    assert!(of(16_384, texts::cosine().into()).is_ok());
    let wide = of(16_385, texts::cosine().into()).unwrap_err();
    assert!(matches!(&wide, Error::Shape { layer, .. } if layer == "loss"), "{wide}");
    assert!(of(100_000, texts::huber().into()).is_ok());
    let two = of(4, texts::mean_of_outputs().into()).unwrap();
    assert_eq!(two.target_len(), 2);
    let few = two.check_targets(3, hesscale::model::Targets::Values(&[0.0; 12])).unwrap_err();
    assert_eq!(few, Error::Length { tensor: "targets".into(), got: 12, needed: 6 });
}

/// JSON has the text and no closure, which equality does not look at.
#[test]
fn json_has_the_text() {
    for loss in texts::losses() {
        let loss = loss.weighted_mean();
        let model = Model::builder([3]).dense(4).act(texts::softplus()).dense(2).loss(loss.clone()).unwrap();
        let text = model.to_json();
        let read = Model::from_json(&text).unwrap();
        assert_eq!(read, model);
        assert_eq!(serde_json::from_str::<Model>(&text).unwrap(), model);
        assert_eq!(read.to_json(), text);
        assert_eq!(read.target_len(), model.target_len());
        let on_cpu = |loss: &Loss| matches!(loss, Loss::Custom(custom) if custom.is_on_cpu());
        assert!(on_cpu(&loss) && !on_cpu(read.loss()));
    }
    // It is given one again.
    let read = Model::builder([2]).dense(2).loss(CustomLoss::elementwise("mine", GOOD).unwrap()).unwrap();
    let Loss::Custom(CustomLoss::Elementwise(loss)) = read.loss().clone() else { panic!("it is one") };
    let again = loss.on_cpu(|z, y| Term { value: z - y, g: 1.0, h: 0.0 });
    assert_eq!(read.clone().with_loss(again).unwrap(), read);
    let loss = |json: &str| serde_json::from_str::<Loss>(json);
    let good =
        r#"{"type": "custom", "form": "elementwise", "name": "mine", "wgsl": "TEXT"}"#.replace("TEXT", GOOD);
    assert_eq!(loss(&good).unwrap(), CustomLoss::elementwise("mine", GOOD).unwrap().into());
    for (json, words) in [
        (good.replace("z - y", "z - x"), "loss `mine`, line 1, column 51"),
        (good.replace("elementwise", "by_row"), "does not declare"),
        (good.replace("mine\"", "mine\", \"more\": 1"), "unknown field"),
        (good.replace("mine\"", "mine\", \"targets\": 1"), "number of targets"),
    ] {
        let error = loss(&json).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn equal_are_those_of_the_same_name_text_and_settings() {
    let mine = |text: &str| Loss::from(CustomLoss::elementwise("mine", text).unwrap());
    assert_eq!(mine(GOOD), mine(GOOD));
    assert_ne!(mine(GOOD), mine(GOOD).sum());
    assert_ne!(mine(GOOD), mine(&GOOD.replace("1.0", "2.0")));
    assert_ne!(mine(GOOD), CustomLoss::elementwise("other", GOOD).unwrap().into());
    assert_ne!(Loss::from(texts::cosine()), texts::cosine().targets(6).into());
    let softplus = || Activation::from(CustomActivation::new("softplus", texts::SOFTPLUS).unwrap());
    assert_eq!(softplus(), softplus());
    assert_ne!(softplus(), Activation::Softplus);
    assert_ne!(softplus(), texts::softplus());
    assert_eq!(softplus().name(), "softplus");
    let model = Model::builder([3]).dense(2).act(softplus()).loss(Loss::mse()).unwrap();
    assert_eq!(model.layer_name(1).unwrap(), "softplus 1");
}
