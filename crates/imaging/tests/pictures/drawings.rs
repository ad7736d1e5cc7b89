//! Hostile drawings: an SVG is a program for a painter, and answers all the
//! same, within little memory and stack.

use crate::corpus::head;
use minilab_imaging::{Error, Limits, Recipe, render};

/// Answers on a stack of 2 MiB, which is what a thread has.
fn answer(drawing: String, width: u32) -> Result<(), Error> {
    let job = move || {
        let output = "[[output]]\nkey = \"{stem}.png\"\nformat = \"png\"\n";
        let recipe = format!("{}{output}resize = {{ width = {width}, enlarge = true }}\n", head());
        let recipe = Recipe::parse(&recipe).unwrap();
        render(drawing.as_bytes(), "a.svg", &recipe, &Limits::default(), &|_| ()).map(|_| ())
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(job).unwrap().join().unwrap()
}

fn drawing(inside: &str) -> String {
    format!("<svg xmlns='http://www.w3.org/2000/svg' width='1000' height='1000'>{inside}</svg>")
}

fn filtered(step: &str) -> String {
    let region = "x='-1000' y='-1000' width='9000' height='9000' filterUnits='userSpaceOnUse'";
    drawing(&format!(
        "<filter id='f' {region}>{step}</filter><rect width='900' height='900' fill='red' filter='url(#f)'/>"
    ))
}

#[test]
fn what_takes_too_long_or_too_much_is_refused() {
    let pattern = |n: usize| {
        format!(
            "<pattern id='p{n}' width='9' height='9' patternUnits='userSpaceOnUse'><rect width='9' height='9' fill='url(#p{})'/></pattern>",
            n + 1
        )
    };
    let patterns: String = (0..40).map(pattern).collect();
    let layers = "<g opacity='.9'><rect width='1000' height='1000'/></g>".repeat(5_000);
    let cases = [
        ("morphology", filtered("<feMorphology radius='400'/>")),
        (
            "convolution",
            filtered(&format!("<feConvolveMatrix order='99' kernelMatrix='{}'/>", "1 ".repeat(99 * 99))),
        ),
        ("turbulence", filtered("<feTurbulence baseFrequency='.1' numOctaves='5000'/>")),
        ("two hundred blurs", filtered(&"<feGaussianBlur stdDeviation='50'/>".repeat(200))),
        ("full layers", drawing(&layers)),
        (
            "a giant tile",
            drawing(
                "<pattern id='p' width='1e6' height='1e6' patternUnits='userSpaceOnUse'><rect width='9' height='9'/></pattern><rect width='999' height='999' fill='url(#p)'/>",
            ),
        ),
        (
            "dashes without end",
            drawing("<path d='M0 0L999 999L0 999L999 0' stroke='red' stroke-dasharray='.00001'/>"),
        ),
        ("deep groups", drawing(&("<g opacity='.9'>".repeat(3_000) + &"</g>".repeat(3_000)))),
    ];
    for (name, drawing) in cases {
        match answer(drawing, 1200) {
            Err(Error::Unsupported { .. } | Error::OverLimit { .. }) => {}
            other => panic!("{name}: {other:?}"),
        }
    }
    // Refused, or drawn at once: the painter may know better.
    let _ = answer(drawing(&format!("{patterns}<rect width='999' height='999' fill='url(#p0)'/>")), 100);
}

#[test]
fn what_is_as_deep_as_allowed_is_drawn() {
    let groups = 90;
    let inside =
        "<g opacity='.99'>".repeat(groups) + "<rect width='20' height='20'/>" + &"</g>".repeat(groups);
    answer(format!("<svg xmlns='http://www.w3.org/2000/svg' width='20' height='20'>{inside}</svg>"), 100)
        .unwrap();
    let uses =
        (0..40).fold(String::new(), |all, i| format!("{all}<g id='g{i}'><use href='#g{}'/></g>", i + 1));
    let inside = format!("<defs>{uses}<rect id='g40' width='9' height='9'/></defs><use href='#g0'/>");
    answer(format!("<svg xmlns='http://www.w3.org/2000/svg' width='20' height='20'>{inside}</svg>"), 100)
        .unwrap();
}

#[test]
fn references_in_circles_are_answered() {
    for inside in [
        "<g id='a'><use href='#a'/></g>",
        "<pattern id='p' width='9' height='9'><rect width='9' height='9' fill='url(#p)'/></pattern><rect width='9' height='9' fill='url(#p)'/>",
        "<mask id='m'><rect width='9' height='9' mask='url(#m)'/></mask><rect width='9' height='9' mask='url(#m)'/>",
        "<clipPath id='c' clip-path='url(#c)'><rect width='9' height='9'/></clipPath><rect width='9' height='9' clip-path='url(#c)'/>",
        "<marker id='k'><path d='M0 0L9 9' marker-end='url(#k)'/></marker><path d='M0 0L9 9' marker-end='url(#k)'/>",
        "<filter id='f'><feImage href='#r'/></filter><rect id='r' width='9' height='9' filter='url(#f)'/>",
        "<linearGradient id='g' href='#g'/><rect width='9' height='9' fill='url(#g)'/>",
    ] {
        match answer(drawing(inside), 100) {
            Ok(()) | Err(Error::Unsupported { .. } | Error::Malformed { .. }) => {}
            other => panic!("{inside}: {other:?}"),
        }
    }
}
