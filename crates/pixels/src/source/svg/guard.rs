//! A drawing counted before it is interpreted. References multiply: `use` of a
//! `use` of a `use` draws a million shapes with a hundred bytes, and each level
//! is a call within a call. So what every element costs is added up along all
//! its references, once, and refused above a bound.

use super::refusal::{malformed, unsupported};
use crate::Error;
use roxmltree::{Document, Node, NodeId, ParsingOptions};
use std::collections::HashMap;

/// Elements, attributes and texts of the file.
const NODES: u32 = 200_000;
/// Elements once every reference is followed.
const EXPANDED: u64 = 500_000;
/// Bytes of the pictures inside once every reference is followed: each is decoded
/// and kept for itself.
const EMBEDDED: u64 = 64 << 20;
/// Elements within one another, references followed: each is some calls deep.
const DEPTH: u32 = 100;
/// Bytes that entities may grow to.
const ENTITIES: u64 = 32 << 20;

const SVG: &str = "http://www.w3.org/2000/svg";

/// The text with its size written out in pixels, and that size.
pub(super) fn checked(text: &str) -> Result<(String, (f64, f64)), Error> {
    entities(text)?;
    let options = ParsingOptions { allow_dtd: true, nodes_limit: NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| match error {
        roxmltree::Error::NodesLimitReached => unsupported(format!("more than {NODES} elements")),
        other => malformed(other.to_string()),
    })?;
    let root = document.root_element();
    if root.tag_name().name() != "svg" || root.tag_name().namespace().is_some_and(|space| space != SVG) {
        return Err(malformed("its first element is not svg"));
    }
    for node in root.descendants().filter(Node::is_element) {
        references_stay_inside(&node)?;
    }
    Expansion::new(&document).of(root, 0)?;
    let size = size(&root);
    Ok((with_size(text, &root, size), size))
}

/// An entity of entities grows by the square or worse. The XML reader follows
/// at most 255 references within one; more text than all of them could make
/// together is refused.
fn entities(text: &str) -> Result<(), Error> {
    let Some(declarations) = text.find("<!ENTITY") else { return Ok(()) };
    let end = text[declarations..].find("]>").map_or(text.len(), |end| declarations + end);
    let length = (end - declarations) as u64;
    let references = text.bytes().filter(|&b| b == b'&').count() as u64;
    let nested = if text[declarations..end].contains('&') { 255 } else { 1 };
    if length.saturating_mul(references).saturating_mul(nested) > ENTITIES {
        return Err(unsupported("entities that may grow too large"));
    }
    Ok(())
}

fn href<'n>(node: &Node<'n, '_>) -> Option<&'n str> {
    let attribute = node.attributes().find(|a| a.name() == "href" && !a.value().trim().is_empty())?;
    Some(attribute.value().trim())
}

fn references_stay_inside(node: &Node<'_, '_>) -> Result<(), Error> {
    let Some(href) = href(node) else { return Ok(()) };
    let shown = || href.chars().take(60).collect::<String>();
    match node.tag_name().name() {
        "image" | "feImage" if href.starts_with("data:") => {
            let kind = href[5..].split([';', ',']).next().unwrap_or_default().trim().to_ascii_lowercase();
            if kind.contains("svg") {
                return Err(unsupported(
                    "a drawing inside a picture; put its shapes into the drawing itself",
                ));
            }
        }
        "image" => return Err(unsupported(format!("a picture outside the file ({:?}); embed it", shown()))),
        "feImage" | "use" | "textPath" | "tref" if !href.starts_with('#') => {
            return Err(unsupported(format!(
                "a reference outside the file ({:?}); embed what it means",
                shown()
            )));
        }
        _ => {}
    }
    Ok(())
}

/// What an element becomes with everything that it refers to.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    elements: u64,
    /// Bytes of the pictures inside.
    embedded: u64,
    /// Elements that lie within one another.
    depth: u32,
}

/// What elements cost with everything that they refer to.
struct Expansion<'d, 'i> {
    named: HashMap<&'d str, Node<'d, 'i>>,
    /// `None` while an element is being counted.
    known: HashMap<NodeId, Option<Cost>>,
    /// The most that a mark on the corner of a path can cost.
    markers: u64,
    styled: bool,
}

impl<'d, 'i> Expansion<'d, 'i> {
    fn new(document: &'d Document<'i>) -> Self {
        let named = document.descendants().filter_map(|n| n.attribute("id").map(|id| (id, n))).collect();
        let styled = document.descendants().any(|n| n.has_tag_name((SVG, "style")));
        let markers = document
            .descendants()
            .filter(|n| n.tag_name().name() == "marker")
            .map(|n| n.descendants().count() as u64)
            .max()
            .unwrap_or(0);
        Self { named, known: HashMap::new(), markers, styled }
    }

    /// A circle of references ends where it closes, as it does for the painter.
    fn of(&mut self, node: Node<'d, 'i>, depth: u32) -> Result<Cost, Error> {
        if depth > DEPTH {
            return Err(unsupported(format!("elements more than {DEPTH} deep within one another")));
        }
        match self.known.get(&node.id()) {
            Some(Some(known)) => return Ok(*known),
            Some(None) => return Ok(Cost::default()),
            None => {}
        }
        self.known.insert(node.id(), None);
        // A text becomes a shape for each letter.
        let elements = 1 + node.text().map_or(0, |text| text.len() as u64 / 4);
        let data = href(&node).filter(|href| href.starts_with("data:"));
        let mut all = Cost { elements, embedded: data.map_or(0, |data| data.len() as u64), depth: 0 };
        if self.markers > 0 && (self.styled || marked(node)) {
            let corners =
                ["d", "points"].iter().filter_map(|a| node.attribute(*a)).map(|v| v.len() as u64 / 2);
            all.elements += self.markers.saturating_mul(corners.sum());
        }
        let targets: Vec<Node<'d, 'i>> = node
            .attributes()
            .flat_map(|a| names(a.name(), a.value()))
            .filter_map(|id| self.named.get(id).copied())
            .collect();
        for next in node.children().filter(Node::is_element).chain(targets) {
            let more = self.of(next, depth + 1)?;
            all.elements = all.elements.saturating_add(more.elements);
            all.embedded = all.embedded.saturating_add(more.embedded);
            all.depth = all.depth.max(more.depth + 1);
        }
        if all.embedded > EMBEDDED {
            return Err(unsupported(format!(
                "more than {EMBEDDED} bytes of pictures inside once its references are followed"
            )));
        }
        if all.elements > EXPANDED {
            return Err(unsupported(format!(
                "more than {EXPANDED} elements once its references are followed"
            )));
        }
        if depth + all.depth > DEPTH {
            return Err(unsupported(format!("elements more than {DEPTH} deep within one another")));
        }
        self.known.insert(node.id(), Some(all));
        Ok(all)
    }
}

fn marked(node: Node<'_, '_>) -> bool {
    node.ancestors()
        .any(|n| n.attributes().any(|a| a.name().starts_with("marker") || a.value().contains("marker")))
}

/// The elements that an attribute refers to: `#a` of an href, `url(#a)` of a
/// property, several in a style.
fn names<'v>(attribute: &str, value: &'v str) -> Vec<&'v str> {
    if attribute == "href" {
        return value.trim().strip_prefix('#').into_iter().collect();
    }
    let inside = value.split("url(").skip(1).filter_map(|rest| rest.split(')').next());
    inside.filter_map(|name| name.trim_matches([' ', '\'', '"']).strip_prefix('#')).collect()
}

/// Width and height in CSS pixels: as stated; a side that is not, or is a share
/// of what is not known here, by the view box; 300 × 150 without one (CSS 2.1,
/// 10.3.2).
fn size(root: &Node<'_, '_>) -> (f64, f64) {
    let stated = |name| root.attribute(name).and_then(length);
    let view = root.attribute("viewBox").and_then(|v| {
        let numbers: Vec<f64> = v
            .split([' ', ',', '\t', '\n', '\r'])
            .filter(|v| !v.is_empty())
            .map_while(|v| v.parse().ok())
            .collect();
        match numbers[..] {
            [_, _, w, h] if w > 0.0 && h > 0.0 => Some((w, h)),
            _ => None,
        }
    });
    match (stated("width"), stated("height"), view) {
        (Some(w), Some(h), _) => (w, h),
        (Some(w), None, Some((vw, vh))) => (w, w * vh / vw),
        (None, Some(h), Some((vw, vh))) => (h * vw / vh, h),
        (None, None, Some(view)) => view,
        (w, h, None) => (w.unwrap_or(300.0), h.unwrap_or(150.0)),
    }
}

/// A length in CSS pixels, 96 to the inch; `None` for a percentage and for what
/// is none.
fn length(value: &str) -> Option<f64> {
    let value = value.trim();
    let digits = value
        .find(|c: char| c.is_ascii_alphabetic() && c != 'e' && c != 'E' || c == '%')
        .unwrap_or(value.len());
    // "1em": the e is the unit's.
    let digits = if value[..digits].ends_with(['e', 'E']) { digits - 1 } else { digits };
    let number: f64 = value[..digits].parse().ok()?;
    let unit = match &value[digits..] {
        "" | "px" => 1.0,
        "pt" => 96.0 / 72.0,
        "in" => 96.0,
        "cm" => 96.0 / 2.54,
        "mm" => 96.0 / 25.4,
        "pc" | "em" | "rem" => 16.0,
        "ex" => 8.0,
        _ => return None,
    };
    Some(number * unit)
}

/// The text with `size` as the width and height of its root.
fn with_size(text: &str, root: &Node<'_, '_>, (width, height): (f64, f64)) -> String {
    let mut edits = Vec::new();
    let tag = root.range().start + 1;
    let after_tag =
        text[tag..].find(|c: char| c.is_whitespace() || c == '>' || c == '/').map_or(tag, |n| tag + n);
    for (name, value) in [("width", width), ("height", height)] {
        match root.attribute_node(name) {
            Some(attribute) => edits.push((attribute.range(), format!("{name}=\"{value}\""))),
            None => edits.push((after_tag..after_tag, format!(" {name}=\"{value}\""))),
        }
    }
    edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    let mut out = text.to_owned();
    for (range, with) in edits {
        out.replace_range(range, &with);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawing(attributes: &str, inside: &str) -> String {
        format!("<svg xmlns=\"{SVG}\" {attributes}>{inside}</svg>")
    }

    #[test]
    fn the_size_is_csss() {
        for (attributes, expected) in [
            ("width='40' height='30'", (40.0, 30.0)),
            ("width='1in' height='2.54cm'", (96.0, 96.0)),
            ("width='2em' height='1e2px'", (32.0, 100.0)),
            ("viewBox='0 0 200 100'", (200.0, 100.0)),
            ("viewBox='0,0,200,100' width='50'", (50.0, 25.0)),
            ("viewBox='0 0 200 100' height='50' width='100%'", (100.0, 50.0)),
            ("width='7'", (7.0, 150.0)),
            ("width='100%' viewBox='none'", (300.0, 150.0)),
        ] {
            let (text, size) = checked(&drawing(attributes, "")).unwrap();
            assert_eq!(size, expected, "{attributes}");
            let again = Document::parse(&text).unwrap();
            let side = |name| again.root_element().attribute(name).unwrap().parse::<f64>().unwrap();
            assert_eq!((side("width"), side("height")), expected, "{text}");
        }
    }

    #[test]
    fn what_multiplies_or_reaches_outside_is_refused() {
        let uses = |levels: usize| {
            let mut out = "<defs><rect id='l0' width='1' height='1'/>".to_owned();
            for level in 0..levels {
                let ten = format!("<use href='#l{level}'/>").repeat(10);
                out = format!("{out}<g id='l{}'>{ten}</g>", level + 1);
            }
            out + &format!("</defs><use href='#l{levels}'/>")
        };
        assert!(checked(&drawing("", &uses(3))).is_ok());
        let nested = |n: usize| "<g>".repeat(n) + &"</g>".repeat(n);
        assert!(checked(&drawing("", &nested(80))).is_ok());
        let circle = "<g id='a'><use href='#b'/></g><g id='b'><use href='#a'/></g>";
        assert!(checked(&drawing("", circle)).is_ok());
        let path = format!(
            "<marker id='m'>{}</marker><path marker-mid='url(#m)' d='{}'/>",
            "<g/>".repeat(90),
            "L1 1".repeat(9000)
        );
        // 64 KiB, once and 1,100 times.
        let picture = format!("<image id='p' href='data:image/png;base64,{}'/>", "A".repeat(1 << 16));
        assert!(checked(&drawing("", &picture)).is_ok());
        let lol = "<!DOCTYPE svg [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;'>]>".to_owned();
        for (inside, words) in [
            (drawing("", &uses(6)), "elements once its references"),
            (drawing("", &(picture + &"<use href='#p'/>".repeat(1100))), "pictures inside once"),
            (drawing("", &nested(5000)), "deep within"),
            (drawing("", &path), "once its references"),
            (lol + &drawing("", &"&b;".repeat(9000)), "entities"),
            (drawing("", "<image href='https://example.org/a.png'/>"), "outside the file"),
            (drawing("", "<image href='/etc/passwd'/>"), "outside the file"),
            (drawing("", "<use href='other.svg#a'/>"), "outside the file"),
            (drawing("", "<image href='data:image/svg+xml;base64,AAAA'/>"), "inside a picture"),
        ] {
            match checked(&inside) {
                Err(Error::Unsupported { feature, .. }) => assert!(feature.contains(words), "{feature}"),
                other => panic!("{words}: {other:?}"),
            }
        }
    }

    #[test]
    fn half_a_drawing_is_malformed() {
        let whole = drawing("width='3' height='3'", "<rect width='1' height='1'/>");
        for end in 0..whole.len() {
            assert!(matches!(checked(&whole[..end]), Err(Error::Malformed { .. })), "cut at {end}");
        }
    }
}
