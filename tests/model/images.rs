//! Layers of images and blocks: their shapes and initial weights, and those that do not fit.

use hesscale::model::{
    AvgPool2d, BatchNorm, Conv1d, Conv2d, ConvTranspose2d, GroupNorm, Init, Interpolation, LayerNorm,
    MaxPool2d, PRelu, Padding, RmsNorm, Role, Upsample2d,
};
use hesscale::{Activation, Error, Layer, Loss, Model};

/// Every kind of layer of images, every field at a value that is not its default.
pub(crate) fn image_layers() -> Vec<Layer> {
    let conv = Conv2d::new(6, [3, 2]).stride([2, 1]).dilation([1, 2]).groups(2).bias(false);
    let mut up = ConvTranspose2d::new(6, [3, 2]).stride([2, 3]).padding([1, 0]).output_padding([1, 2]);
    up = up.dilation([1, 2]).groups(2).bias(false);
    up.inputs = 4;
    let norm = BatchNorm::new(vec![0.1, -0.2, 0.3, 0.4], vec![1.0, 0.0, 0.25, 3.5]).eps(1e-3);
    let body = vec![conv.clone().inputs(4).padding(1).into(), Activation::Tanh.into()];
    let projection = vec![Conv2d::new(6, 1).inputs(4).stride([2, 1]).into()];
    vec![
        conv.clone().inputs(4).padding([2, 1]).into(),
        conv.inputs(4).padding(Padding::VALID).into(),
        Conv2d::new(3, [3, 2]).inputs(4).same().into(),
        up.into(),
        MaxPool2d::new([3, 2]).stride([2, 1]).padding([1, 0]).into(),
        AvgPool2d::new([3, 2]).stride([2, 1]).padding([1, 0]).count_include_pad(false).into(),
        Layer::AdaptiveAvgPool2d { output: [3, 7] },
        Layer::global_avg_pool(),
        Layer::ZeroPad2d { padding: [0, 1, 2, 3] },
        Conv2d::new(3, 3).inputs(4).same().stride([2, 4]).into(),
        MaxPool2d::new([3, 2]).stride([2, 4]).padding(Padding::SAME).ceil_mode(true).into(),
        AvgPool2d::new([3, 2]).stride([3, 5]).padding([1, 0]).ceil_mode(true).count_include_pad(false).into(),
        Layer::ReflectionPad2d { padding: [0, 1, 2, 3] },
        Layer::ReplicationPad2d { padding: [0, 1, 20, 3] },
        Upsample2d::bilinear([2, 3]).mode(Interpolation::BilinearAligned).into(),
        Layer::PixelShuffle { factor: 2 },
        Layer::PixelUnshuffle { factor: 2 },
        norm.into(),
        LayerNorm::new().shape([4, 8, 6]).eps(1e-3).affine(false).into(),
        RmsNorm::new().shape([4, 8, 6]).eps(1e-3).affine(false).into(),
        GroupNorm::new(2).channels(4).eps(1e-3).affine(false).into(),
        Layer::Dropout { p: 0.3 },
        Layer::Identity,
        Layer::Residual { body, projection },
        Layer::Residual {
            body: vec![Layer::Residual { body: vec![], projection: vec![] }],
            projection: vec![],
        },
    ]
}

#[test]
fn shapes_of_image_layers() {
    let shapes = [
        vec![6, 5, 6],
        vec![6, 3, 4],
        vec![3, 8, 6],
        vec![6, 16, 20],
        vec![4, 4, 5],
        vec![4, 4, 5],
        vec![4, 3, 7],
        vec![4, 1, 1],
        vec![4, 13, 7],
        vec![3, 4, 2],
        vec![4, 4, 2],
        vec![4, 3, 2],
        vec![4, 13, 7],
        vec![4, 31, 7],
        vec![4, 16, 18],
        vec![1, 16, 12],
        vec![16, 4, 3],
        vec![4, 8, 6],
        vec![4, 8, 6],
        vec![4, 8, 6],
        vec![4, 8, 6],
        vec![4, 8, 6],
        vec![4, 8, 6],
        vec![6, 4, 6],
        vec![4, 8, 6],
    ];
    for (layer, shape) in image_layers().into_iter().zip(shapes) {
        let model = Model::new([4, 8, 6], vec![layer.clone()], Loss::mse()).unwrap();
        assert_eq!(model.shape(0).unwrap(), shape, "{layer:?}");
    }
}

#[test]
fn layers_of_images_that_do_not_fit() {
    let fails = |input: &[usize], layer: Layer| Model::new(input, vec![layer], Loss::mse()).unwrap_err();
    let image = |layer: Layer| fails(&[4, 8, 6], layer);
    let conv = || Conv2d::new(6, 3).inputs(4);
    let up = || {
        let mut up = ConvTranspose2d::new(6, 3);
        up.inputs = 4;
        up
    };
    let value = |error: Error| match error {
        Error::Value { place, name, value, .. } => (place, name, value),
        other => panic!("{other:?}"),
    };
    // A window that is too large fits nowhere, whether or not it may go past the end: ⌊(1 − 3 + 1) / 2⌋ + 1 = 0.
    for (kernel, side) in [(3, 1), (6, 2)] {
        let pool = MaxPool2d::new(kernel).stride(2).ceil_mode(true);
        assert!(matches!(fails(&[1, side, side], pool.into()), Error::Shape { .. }), "{kernel} over {side}");
    }
    for groups in [3, 4, 5] {
        assert_eq!(value(image(conv().groups(groups).into())), ("conv2d 0".into(), "groups", groups as f64));
        let place = "convtranspose2d 0".into();
        assert_eq!(value(image(up().groups(groups).into())), (place, "groups", groups as f64));
    }
    for (layer, place, what) in [
        (conv().inputs(0).into(), "conv2d 0", "in"),
        (Conv2d::new(0, 3).inputs(4).into(), "conv2d 0", "out"),
        (conv().groups(0).into(), "conv2d 0", "groups"),
        (Conv2d::new(6, [3, 0]).inputs(4).into(), "conv2d 0", "kernel"),
        (conv().stride([0, 1]).into(), "conv2d 0", "stride"),
        (conv().dilation(0).into(), "conv2d 0", "dilation"),
        (up().stride(0).into(), "convtranspose2d 0", "stride"),
        (MaxPool2d::new(0).into(), "maxpool2d 0", "kernel"),
        (AvgPool2d::new(2).stride(0).into(), "avgpool2d 0", "stride"),
        (Layer::AdaptiveAvgPool2d { output: [2, 0] }, "adaptiveavgpool2d 0", "output"),
        (Upsample2d::bilinear([1, 0]).into(), "upsample2d 0", "scale"),
        (Layer::PixelShuffle { factor: 0 }, "pixelshuffle 0", "factor"),
        (Layer::PixelUnshuffle { factor: 0 }, "pixelunshuffle 0", "factor"),
    ] {
        assert_eq!(image(layer), Error::ZeroSize { place: place.into(), what });
    }
    let shape = |layer: &str, got: &[usize], needed: &str| Error::Shape {
        layer: layer.into(),
        got: got.to_vec(),
        needed: needed.into(),
    };
    let wide = "an image in which, padded, a window of 9 fits along the width";
    assert_eq!(
        image(Conv2d::new(6, [1, 5]).inputs(4).dilation(2).padding([0, 1]).into()),
        shape("conv2d 0", &[8, 6], wide)
    );
    let tall = "an image in which, padded, a window of 9 fits along the height";
    assert_eq!(image(MaxPool2d::new([9, 1]).into()), shape("maxpool2d 0", &[8, 6], tall));
    assert_eq!(fails(&[3, 8, 6], conv().into()), shape("conv2d 0", &[3, 8, 6], "4 channels"));
    assert_eq!(fails(&[4, 8], conv().into()), shape("conv2d 0", &[4, 8], "[4, height, width]"));
    let mut line = Conv1d::new(2, 3);
    line.inputs = 4;
    assert_eq!(image(line.into()), shape("conv1d 0", &[4, 8, 6], "[4, length]"));
    let padding = [1; 4];
    for layer in [
        MaxPool2d::new(2).into(),
        Layer::global_avg_pool(),
        Layer::ZeroPad2d { padding },
        Layer::ReflectionPad2d { padding },
        Layer::ReplicationPad2d { padding },
        Upsample2d::nearest(2).into(),
        Layer::PixelShuffle { factor: 2 },
        Layer::PixelUnshuffle { factor: 2 },
    ] {
        let name = format!("{} 0", layer.kind());
        assert_eq!(fails(&[4, 8], layer), shape(&name, &[4, 8], "[channels, height, width]"));
    }
    let cut = shape("convtranspose2d 0", &[1, 1], "an output that is larger than its padding [2, 2]");
    assert_eq!(fails(&[4, 1, 1], up().padding(2).into()), cut);

    for pool in [MaxPool2d::new([4, 3]).padding([1, 2]).into(), AvgPool2d::new([2, 3]).padding([2, 1]).into()]
    {
        let name = format!("{} 0", Layer::kind(&pool));
        assert_eq!(value(image(pool)), (name, "padding", 2.0));
    }
    for (layer, given) in [(up().output_padding(1), 1.0), (up().stride(2).output_padding([0, 2]), 2.0)] {
        assert_eq!(value(image(layer.into())), ("convtranspose2d 0".into(), "output_padding", given));
    }
    for p in [-0.1, 1.0, f64::INFINITY] {
        assert_eq!(value(image(Layer::Dropout { p })), ("dropout 0".into(), "p", p));
    }
    assert!(value(image(Layer::Dropout { p: f64::NAN })).2.is_nan());
    let huge = image(Layer::ZeroPad2d { padding: [usize::MAX, 1, 1, 1] });
    assert!(matches!(&huge, Error::Shape { layer, .. } if layer == "zeropad2d 0"), "{huge:?}");
    // A reflection begins behind the edge, so an image of 6 has 5 columns to show.
    for (padding, needed) in [
        ([6, 0, 0, 0], "a width larger than the padding of 6 that reflects it"),
        ([0, 0, 1, 8], "a height larger than the padding of 8 that reflects it"),
    ] {
        let reflected = image(Layer::ReflectionPad2d { padding });
        assert_eq!(reflected, shape("reflectionpad2d 0", &[8, 6], needed));
    }
    let wide = image(Layer::ReplicationPad2d { padding: [0, 2001, 0, 0] });
    assert_eq!(value(wide), ("replicationpad2d 0".into(), "padding", 2001.0));
    let scaled = image(Upsample2d::nearest([1, 2001]).into());
    assert_eq!(value(scaled), ("upsample2d 0".into(), "scale", 2001.0));
    let blocks = image(Layer::PixelShuffle { factor: 3 });
    assert_eq!(blocks, shape("pixelshuffle 0", &[4, 8, 6], "channels that are a multiple of 9"));
    let parts = image(Layer::PixelUnshuffle { factor: 3 });
    let needed = "height and width that are multiples of 3";
    assert_eq!(parts, shape("pixelunshuffle 0", &[4, 8, 6], needed));
    let endless = image(Layer::PixelShuffle { factor: usize::MAX });
    assert!(matches!(endless, Error::Shape { .. }), "{endless:?}");
    let huge = image(conv().padding(1 << 25).into());
    assert_eq!(huge, shape("conv2d 0", &[8, 6], "padding of at most 16777216"));
}

#[test]
fn statistics_that_are_none() {
    let fails = |norm: BatchNorm| Model::new([2, 3], vec![norm.into()], Loss::mse()).unwrap_err();
    let good = || BatchNorm::new(vec![0.0; 2], vec![1.0; 2]);
    let value = |error: Error| match error {
        Error::Value { place, name, .. } if place == "batchnorm 0" => name,
        other => panic!("{other:?}"),
    };
    for eps in [0.0, -1e-5, 1e-40, 1e-60, f64::NAN, f64::INFINITY] {
        assert_eq!(value(fails(good().eps(eps))), "eps");
    }
    assert_eq!(value(fails(BatchNorm::new(vec![0.0, f32::NAN], vec![1.0; 2]))), "mean");
    for var in [-1.0, f32::NAN, f32::INFINITY] {
        assert_eq!(value(fails(BatchNorm::new(vec![0.0; 2], vec![1.0, var]))), "var");
    }
    for momentum in [-0.1, 1.5, f64::NAN] {
        assert_eq!(value(fails(good().momentum(momentum))), "momentum");
    }
    let lengths = Error::Length { tensor: "batchnorm 0: var".into(), got: 3, needed: 2 };
    assert_eq!(fails(BatchNorm::new(vec![0.0; 2], vec![1.0; 3])), lengths);
    let channels = |n: usize| {
        let (layer, needed) = ("batchnorm 0".into(), format!("{n} channels"));
        Error::Shape { layer, got: vec![2, 3], needed }
    };
    assert_eq!(fails(BatchNorm::new(vec![0.0; 3], vec![1.0; 3])), channels(3));
    assert_eq!(fails(BatchNorm::new(vec![], vec![])), channels(0));
}

#[test]
fn normalisations_of_samples_that_are_none() {
    let fails = |layer: Layer| Model::new([4, 3], vec![layer], Loss::mse()).unwrap_err();
    let shape = |layer: &str, needed: &str| Error::Shape {
        layer: layer.into(),
        got: vec![4, 3],
        needed: needed.into(),
    };
    let other = "[3], the shape that it normalises";
    assert_eq!(fails(LayerNorm::new().shape([3]).into()), shape("layernorm 0", other));
    assert_eq!(fails(RmsNorm::new().shape([3]).into()), shape("rmsnorm 0", other));
    // Only a builder fills in what is left open.
    let none = "[], the shape that it normalises";
    assert_eq!(fails(LayerNorm::new().into()), shape("layernorm 0", none));
    assert_eq!(fails(GroupNorm::new(2).channels(6).into()), shape("groupnorm 0", "6 channels"));
    let zero = |what| Error::ZeroSize { place: "groupnorm 0".into(), what };
    assert_eq!(fails(GroupNorm::new(2).into()), zero("channels"));
    assert_eq!(fails(GroupNorm::new(0).channels(4).into()), zero("groups"));
    let value = |error: Error| match error {
        Error::Value { name, value, .. } => (name, value),
        other => panic!("{other:?}"),
    };
    assert_eq!(value(fails(GroupNorm::new(3).channels(4).into())), ("groups", 3.0));
    for eps in [0.0, -1e-5, 1e-40, 1e-60, f64::INFINITY, 1e300] {
        let layers: [Layer; 3] = [
            LayerNorm::new().shape([4, 3]).eps(eps).into(),
            RmsNorm::new().shape([4, 3]).eps(eps).into(),
            GroupNorm::new(2).channels(4).eps(eps).into(),
        ];
        layers.into_iter().for_each(|layer| assert_eq!(value(fails(layer)), ("eps", eps)));
    }
}

#[test]
fn the_builder_finds_what_is_normalised() {
    let model = Model::builder([6, 2, 3]).group_norm(3).layer_norm().rms_norm();
    let model = model.layer(LayerNorm::new().affine(false)).loss(Loss::mse()).unwrap();
    let shapes: Vec<&[usize]> = model.parameters().iter().map(|p| &p.shape[..]).collect();
    assert_eq!(shapes, [&[6][..], &[6], &[6, 2, 3], &[6, 2, 3], &[6, 2, 3]]);
    assert_eq!(model.layer_name(2).unwrap(), "rmsnorm 2");
    // They start as nothing but the normalisation.
    let flat = model.init(Init::Auto, 3).unwrap();
    for p in model.parameters() {
        let start = if p.role == Role::Weight { 1.0 } else { 0.0 };
        assert!(flat[p.range()].iter().all(|x| *x == start), "{}", p.name());
    }
    // He before a rectifier behind a normalisation.
    let model = Model::builder([5]).dense(40).layer_norm().act(Activation::Relu).dense(3);
    let model = model.loss(Loss::mse()).unwrap();
    let flat = model.init(Init::Auto, 3).unwrap();
    let range = model.parameter(0, Role::Weight).unwrap().range();
    let largest = flat[range].iter().fold(0.0_f32, |m, w| m.max(w.abs()));
    assert!(largest > 0.95 * (6.0_f32 / 5.0).sqrt(), "{largest}");
}

#[test]
fn blocks_name_what_is_in_them() {
    let model = Model::builder([4, 8, 6])
        .conv2d(3, 3)
        .act(Activation::Relu)
        .residual_projected(
            |body| body.conv2d(5, [1, 1]).residual(|inner| inner.layer(Conv2d::new(5, 3).same().bias(false))),
            |projection| projection.layer(Conv2d::new(5, 1)),
        )
        .flatten()
        .dense(2)
        .loss(Loss::mse())
        .unwrap();
    let names: Vec<String> = model.parameters().iter().map(|p| p.name()).collect();
    let expected = [
        "0.weight",
        "0.bias",
        "2.body.0.weight",
        "2.body.0.bias",
        "2.body.1.body.0.weight",
        "2.projection.0.weight",
        "2.projection.0.bias",
        "4.weight",
        "4.bias",
    ];
    assert_eq!(names, expected);
    let shapes: Vec<&[usize]> = model.parameters().iter().map(|p| &p.shape[..]).collect();
    assert_eq!((shapes[0], shapes[4], shapes[7]), (&[3, 4, 3, 3][..], &[5, 5, 3, 3][..], &[2, 120][..]));
    assert_eq!(model.parameter(2, Role::Weight).unwrap().path, "2.body.0");
    assert_eq!((model.layer_name(2), model.shape(2)), (Ok("residual 2".into()), Ok(&[5, 6, 4][..])));

    let block = |body, projection| Layer::Residual { body, projection };
    let unequal = block(vec![Conv2d::new(3, 1).inputs(4).into()], vec![]);
    let error = Model::new([4, 8, 6], vec![Layer::Identity, unequal], Loss::mse()).unwrap_err();
    let needed = "[4, 8, 6], the shape of what it is added to".into();
    assert_eq!(error, Error::Shape { layer: "residual 1".into(), got: vec![3, 8, 6], needed });
    let inside = block(vec![Layer::Identity], vec![Layer::Dropout { p: 2.0 }]);
    match Model::new([4], vec![inside], Loss::mse()).unwrap_err() {
        Error::Value { place, .. } => assert_eq!(place, "dropout 0.projection.0"),
        other => panic!("{other:?}"),
    }
    let built = Model::builder([4, 2, 2]).residual(|body| body.dense(3)).loss(Loss::mse()).unwrap_err();
    match built {
        Error::Shape { layer, got, .. } => {
            assert_eq!((layer.as_str(), &got[..]), ("dense 0.body.0", &[4, 2, 2][..]))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_builder_finds_the_channels() {
    let model = Model::builder([2, 9])
        .layer(Conv1d::new(4, 3))
        .layer(BatchNorm::new(vec![0.0; 4], vec![1.0; 4]))
        .residual(|body| body.layer(Conv1d::new(4, 3).padding(1)))
        .loss(Loss::mse())
        .unwrap();
    let shapes: Vec<&[usize]> = model.parameters().iter().map(|p| &p.shape[..]).collect();
    assert_eq!(shapes, [&[4, 2, 3][..], &[4], &[4], &[4], &[4, 4, 3], &[4]]);
    let model = Model::builder([6, 4, 4])
        .layer(ConvTranspose2d::new(4, [2, 3]).groups(2))
        .conv2d(3, 2)
        .loss(Loss::mse())
        .unwrap();
    let shapes: Vec<&[usize]> = model.parameters().iter().map(|p| &p.shape[..]).collect();
    assert_eq!(shapes, [&[6, 2, 2, 3][..], &[4], &[3, 4, 2, 2], &[3]]);
    // Explicit values are not overwritten.
    let wrong = Model::builder([6, 4, 4]).layer(Conv2d::new(3, 2).inputs(5)).loss(Loss::mse()).unwrap_err();
    assert!(matches!(&wrong, Error::Shape { layer, .. } if layer == "conv2d 0"), "{wrong:?}");
}

/// In the order of the nodes, each by itself at a multiple of 64.
#[test]
fn running_statistics_have_a_layout_of_their_own() {
    let fixed = || BatchNorm::new(vec![0.5; 3], vec![2.0; 3]);
    let model = Model::builder([3, 4]).layer(fixed()).layer(fixed().momentum(0.5));
    let model = model.residual_projected(|b| b.layer(BatchNorm::of_batch()), |b| b.layer(fixed()));
    let model = model.layer(Conv1d::new(70, 1)).layer(BatchNorm::of_batch()).loss(Loss::mse()).unwrap();
    let places: Vec<_> = model.running_statistics().iter().map(|r| (r.mean(), r.var())).collect();
    assert_eq!(places, [(0..3, 64..67), (128..131, 192..195), (256..326, 384..454)]);
    assert_eq!(model.running_statistics()[1].names()[0], "2.body.0.running_mean");
    let mut flat = model.statistics();
    assert_eq!((flat.len(), flat[0], flat[64], flat[128], flat[192]), (512, 0.5, 2.0, 0.0, 1.0));
    (flat[128], flat[453]) = (7.0, 9.0);
    let renewed = model.with_statistics(&flat).unwrap();
    assert_eq!(renewed.statistics(), flat);
    assert_eq!(renewed.layers()[0], model.layers()[0]);
    flat[453] = -1.0;
    assert!(matches!(model.with_statistics(&flat), Err(Error::Value { name: "var", .. })));
    // What an input's shape says takes no memory by itself.
    let large = Model::builder([1 << 28]).layer(BatchNorm::of_batch()).loss(Loss::mse()).unwrap_err();
    assert!(matches!(&large, Error::Shape { layer, .. } if layer == "batchnorm 0"), "{large:?}");
}

#[test]
fn slopes_of_prelu() {
    let build = |prelu: PRelu| Model::builder([3, 4, 2]).conv2d(5, 1).layer(prelu).loss(Loss::mse());
    for (prelu, slopes) in [(PRelu::new(), 1), (PRelu::per_channel(), 5)] {
        let model = build(prelu).unwrap();
        let weight = model.parameter(1, Role::Weight).unwrap();
        assert_eq!((&weight.shape[..], model.parameter(1, Role::Bias)), (&[slopes][..], None));
        let flat = model.init(Init::Auto, 3).unwrap();
        assert!(flat[weight.range()].iter().all(|w| *w == 0.25));
        // A rectifier follows the convolution.
        assert_eq!(flat[..15], model.init(Init::He, 3).unwrap()[..15]);
    }
    let needed = "4 channels".into();
    let wrong = Error::Shape { layer: "prelu 1".into(), got: vec![5, 4, 2], needed };
    assert_eq!(build(PRelu::new().slopes(4)).unwrap_err(), wrong);
    let none = Model::new([3], vec![PRelu::per_channel().into()], Loss::mse()).unwrap_err();
    assert_eq!(none, Error::ZeroSize { place: "prelu 0".into(), what: "slopes" });
}

#[test]
fn initial_weights_of_convolutions_and_normalisations() {
    let model = Model::builder([8, 6, 6])
        .conv2d(16, 3)
        .layer(BatchNorm::new(vec![0.5; 16], vec![2.0; 16]))
        .act(Activation::Relu)
        .conv2d(8, 3)
        .loss(Loss::mse())
        .unwrap();
    let flat = model.init(Init::Auto, 3).unwrap();
    let of = |layer, role| &flat[model.parameter(layer, role).unwrap().range()];
    assert!(of(1, Role::Weight).iter().all(|gamma| *gamma == 1.0));
    assert!([0, 1, 3].iter().all(|layer| of(*layer, Role::Bias).iter().all(|b| *b == 0.0)));
    // He through the normalisation, for a rectifier follows; Glorot at the end.
    for (layer, bound) in [(0, (6.0_f32 / 72.0).sqrt()), (3, (6.0_f32 / (144.0 + 72.0)).sqrt())] {
        let largest = of(layer, Role::Weight).iter().fold(0.0_f32, |m, w| m.max(w.abs()));
        assert!(largest <= bound && largest > 0.95 * bound, "{layer}: {largest} {bound}");
    }
}

/// Kernels use 32-bit arithmetic, and sums need some headroom.
#[test]
fn windows_that_shaders_cannot_count() {
    for size in [(1 << 24) + 1, 1 << 32, usize::MAX] {
        let conv = || Conv2d::new(2, 1).inputs(4);
        let mut line = Conv1d::new(2, 1).stride(size);
        line.inputs = 4;
        let mut up = ConvTranspose2d::new(2, 1).dilation([1, size]);
        up.inputs = 4;
        let image = vec![4, 1, 1];
        for (input, layer, what) in [
            (image.clone(), conv().stride([1, size]).into(), "stride"),
            (image.clone(), conv().dilation(size).into(), "dilation"),
            (image.clone(), Conv2d::new(2, [size, 1]).inputs(4).into(), "kernel"),
            (vec![4, 1], line.into(), "stride"),
            (image.clone(), up.into(), "dilation"),
            (image.clone(), MaxPool2d::new(1).stride([size, 1]).into(), "stride"),
            (image.clone(), AvgPool2d::new(1).stride([1, size]).into(), "stride"),
        ] {
            let place = format!("{} 0", Layer::kind(&layer));
            let error = Error::Value { place, name: what, value: size as f64, needed: "at most 16777216" };
            assert_eq!(Model::new(input, vec![layer], Loss::mse()), Err(error));
        }
    }
}

/// A transposed convolution may cut off nearly all that a long stride spreads out, and then little is left to be counted.
#[test]
fn transposed_windows_that_shaders_cannot_count() {
    let cut = |padding: usize| {
        let mut up = ConvTranspose2d::new(1, 1).stride([1, 1 << 24]).padding([0, padding]);
        up.inputs = 1;
        Model::new([1, 1, 200], vec![up.into()], Loss::mse())
    };
    // 199 · 2²⁴ + 1 columns, of which 3 stay.
    let needed = "padding of at most 16777216".into();
    let refused = Error::Shape { layer: "convtranspose2d 0".into(), got: vec![1, 200], needed };
    assert_eq!(cut(199 << 23), Err(refused.clone()));
    assert_eq!(cut(usize::MAX), Err(refused));
    assert!(cut(1 << 24).is_ok());
}
