//! Trace headers: what the platform says of the span that asks.

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// The parent that a header names; `None` when it names none that was recorded.
pub(crate) fn parse(header: &str) -> Option<SpanContext> {
    let context = if header.contains("Root=") { xray(header) } else { w3c(header) }?;
    context.is_valid().then_some(context)
}

fn hexadecimal(text: &str, digits: usize) -> Option<u128> {
    let well = text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    well.then(|| u128::from_str_radix(text, 16).ok())?
}

fn remote(trace: u128, span: u128, flags: TraceFlags) -> SpanContext {
    let (trace, span) = (TraceId::from(trace), SpanId::from(span as u64));
    SpanContext::new(trace, span, flags, true, TraceState::default())
}

/// `00-<32 digits>-<16 digits>-<2 digits>` ("traceparent Header" of the W3C's Trace Context);
/// later versions may have more after a further dash.
fn w3c(header: &str) -> Option<SpanContext> {
    let mut parts = header.trim().split('-');
    let version = hexadecimal(parts.next()?, 2)?;
    let (trace, span) = (hexadecimal(parts.next()?, 32)?, hexadecimal(parts.next()?, 16)?);
    let flags = hexadecimal(parts.next()?, 2)? as u8;
    if version == 0xff || (version == 0 && parts.next().is_some()) {
        return None;
    }
    Some(remote(trace, span, TraceFlags::new(flags) & TraceFlags::SAMPLED))
}

/// `Root=1-<8 digits>-<24 digits>;Parent=<16 digits>;Sampled=1` ("Tracing header" in the
/// AWS X-Ray Developer Guide).
fn xray(header: &str) -> Option<SpanContext> {
    let field =
        |name: &str| header.split(';').find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='));
    let (seconds, unique) = field("Root")?.strip_prefix("1-")?.split_once('-')?;
    let trace = (hexadecimal(seconds, 8)? << 96) | hexadecimal(unique, 24)?;
    let span = hexadecimal(field("Parent")?, 16)?;
    (field("Sampled")? == "1").then(|| remote(trace, span, TraceFlags::SAMPLED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_parent_is_read_in_both_forms() {
        for (header, trace, span, sampled) in [
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "4bf92f3577b34da6a3ce929d0e0e4736",
                "00f067aa0ba902b7",
                true,
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
                "4bf92f3577b34da6a3ce929d0e0e4736",
                "00f067aa0ba902b7",
                false,
            ),
            (
                "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a:0",
                "5759e988bd862e3fe1be46a994272793",
                "53995c3f42cd8ad8",
                true,
            ),
        ] {
            let context = parse(header).unwrap();
            assert_eq!(context.trace_id().to_string(), trace, "{header}");
            assert_eq!(context.span_id().to_string(), span, "{header}");
            assert_eq!((context.is_sampled(), context.is_remote()), (sampled, true), "{header}");
        }
    }

    #[test]
    fn what_names_no_recorded_parent_is_passed_over() {
        for header in [
            "",
            "x",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
            "Root=1-5759e98-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=+3995c3f42cd8ad8;Sampled=1",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(parse(header), None, "{header}");
        }
    }
}
