//! Owns today's exceptions to `rules`. Refuses to grow: an exception that is no longer needed fails the test.

/// An import that closes a circle. `from` may be `*`, any file; `why` names what is imported.
pub(crate) struct Arrow {
    pub(crate) krate: &'static str,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    #[expect(dead_code, reason = "for whoever reads the list")]
    pub(crate) why: &'static str,
}

impl Arrow {
    pub(crate) fn is(&self, from: &str, to: &str) -> bool {
        self.to == to && (self.from == "*" || self.from == from)
    }
}

const fn arrow(krate: &'static str, from: &'static str, to: &'static str, why: &'static str) -> Arrow {
    Arrow { krate, from, to, why }
}

/// Each entry: the crate, the file that imports, the file imported from, the names that are imported.
pub(crate) const CIRCLES: &[Arrow] = &[
    arrow("cli", "*", "main.rs", "Done, Ending, SomeRejected"),
    arrow("cli", "args.rs", "package.rs", "PackageOptions"),
    arrow(
        "cli",
        "*",
        "template/mod.rs",
        "Alarm, Bucket, BucketRole, DeadLetters, EVENTS, Environment, Events, Format",
    ),
    arrow("cli", "args.rs", "worker/options.rs", "WorkerOptions"),
    arrow("imaging", "*", "decode/mod.rs", "Colour, Coming, Decoded, Outlet, Rows, STRIP"),
    arrow("imaging", "source/svg.rs", "decode/svg.rs", "interpret"),
    arrow("imaging", "heif/write.rs", "heif/av1.rs", "Sequence, read, without_delimiter"),
    arrow(
        "imaging",
        "jpeg/baseline/idct/avx2.rs",
        "jpeg/baseline/idct.rs",
        "BETWEEN, EVEN, FRACTION, ODD, TO_FOUR, flat",
    ),
    arrow("imaging", "jpeg/decode.rs", "jpeg/baseline/tables.rs", "Scan, read"),
    arrow("imaging", "jpeg/markers.rs", "jpeg/decode.rs", "Scale"),
    arrow("imaging", "*", "plan/geometry.rs", "Rectangle, Size, new"),
    arrow("imaging", "plan/memory.rs", "plan/mod.rs", "Pixels, Plan, Planes, PrintPlan, Route, keeps_colour"),
    arrow("imaging", "*", "planes/mod.rs", "Gray, Planes, S411, S420, S422, S440, S441, S444"),
    arrow("imaging", "picture.rs", "planes/orient.rs", "Orientation, UPRIGHT"),
    arrow("imaging", "resample/mod.rs", "planes/resize.rs", "CropBox"),
    arrow("imaging", "jpeg/baseline.rs", "planes/window.rs", "Window, capacity, new"),
    arrow("imaging", "jpeg/decode.rs", "planes/window.rs", "Window"),
    arrow("imaging", "recipe/output.rs", "recipe/key.rs", "KeyTemplate"),
    arrow("imaging", "recipe/rules.rs", "recipe/mod.rs", "Recipe"),
    arrow("imaging", "recipe/reader.rs", "recipe/parse.rs", "Problem"),
    arrow("imaging", "*", "render.rs", "Header, Rendition, inspect"),
    arrow("imaging", "render/pixels.rs", "render/animated.rs", "print"),
    arrow(
        "imaging",
        "resample/fixed/avx2.rs",
        "resample/fixed.rs",
        "Across, Kernels, LANES, Lanes, Line, Portable, widen",
    ),
    arrow("imaging", "*", "source/mod.rs", "Bmp, Gif, Heif, Ico, Jxl, Kind, LARGEST_PROFILE, Png"),
    arrow("imaging", "source/svg/guard.rs", "source/svg.rs", "malformed, unsupported"),
    arrow("imaging", "source/svg/text.rs", "source/svg.rs", "malformed"),
    arrow("imaging", "vp8/predict.rs", "vp8/kernels.rs", "Blocks, Lanes"),
    arrow(
        "local",
        "*",
        "activity.rs",
        "Activity, Decision, Feed, Finished, Log, Queued, REMEMBERED, RetryScheduled",
    ),
    arrow("local", "console/live.rs", "console/api.rs", "blocking"),
    arrow("local", "activity.rs", "console/extension.rs", "Extension"),
    arrow("local", "metrics.rs", "console/extension.rs", "Extension"),
    arrow("local", "*", "console/mod.rs", "Console, Shared"),
    arrow("local", "iam/policy.rs", "iam/condition.rs", "Condition, parse"),
    arrow("local", "iam/principal.rs", "iam/policy.rs", "PolicyError, new"),
    arrow("local", "lambda/extension.rs", "lambda/environment.rs", "Process"),
    arrow("local", "lambda/variables.rs", "lambda/environment.rs", "Plan"),
    arrow(
        "local",
        "lambda/runtime_api.rs",
        "lambda/extension.rs",
        "Extensions, default, error, next, register",
    ),
    arrow("local", "*", "s3/access.rs", "Gate, parameter"),
    arrow("local", "s3/condition_keys.rs", "s3/actions.rs", "Facts"),
    arrow("local", "storage/multipart.rs", "storage/completion.rs", "before, keep_parts, remember"),
];

/// Files of more than 500 lines, below `crates/`.
pub(crate) const LONG: &[(&str, usize)] = &[
    ("cli/src/worker/inbox.rs", 557),
    ("handler/src/reconcile.rs", 518),
    ("imaging/src/decode/tiff.rs", 532),
    ("imaging/src/jpeg/baseline/huffman.rs", 547),
    ("imaging/src/recipe/key.rs", 513),
    ("imaging/src/source/tiff.rs", 574),
    ("imaging/src/vp8/kernels/avx2.rs", 504),
    ("imaging/src/vp8/tables.rs", 538),
    ("local/src/iam/authority.rs", 522),
    ("local/src/lambda/environment.rs", 503),
];
