use jupyter_protocol::{
    CompleteReply, CompleteRequest, InspectReply, InspectRequest, IsCompleteReply, IsCompleteRequest,
};
use serde_json::{Map, json};

use super::mime::media;
use partita_interpreter::{Completeness, Completions, Interpreter};

/// Whether the code can be run as it is.
pub fn is_complete(request: &IsCompleteRequest) -> IsCompleteReply {
    match partita_interpreter::is_complete(&request.code) {
        Completeness::Complete => IsCompleteReply::complete(),
        Completeness::Incomplete { indent } => IsCompleteReply::incomplete(indent),
        Completeness::Invalid => IsCompleteReply::invalid(),
    }
}

/// Completes the name before the cursor.
pub fn complete(request: &CompleteRequest, interpreter: &Interpreter) -> CompleteReply {
    reply(
        &request.code,
        &interpreter.complete(&request.code, byte_position(&request.code, request.cursor_pos)),
    )
}

fn reply(code: &str, found: &Completions) -> CompleteReply {
    let (start, end) = (characters(code, found.start), characters(code, found.end));
    // JupyterLab shows kind and signature beside each name if it finds them here.
    let described = found.items.iter().map(|item| {
        json!({
            "text": item.text,
            "type": item.kind.as_str(),
            "signature": item.signature.as_deref().unwrap_or_default(),
            "start": start,
            "end": end,
        })
    });
    let mut metadata = Map::new();
    metadata.insert("_jupyter_types_experimental".to_owned(), described.collect());
    CompleteReply {
        matches: found.items.iter().map(|item| item.text.clone()).collect(),
        cursor_start: start,
        cursor_end: end,
        metadata,
        ..CompleteReply::default()
    }
}

/// Describes the name at the cursor.
pub fn inspect(request: &InspectRequest, interpreter: &Interpreter) -> InspectReply {
    match interpreter.inspect(&request.code, byte_position(&request.code, request.cursor_pos)) {
        Some(bundle) => InspectReply { found: true, data: media(&bundle), ..InspectReply::default() },
        None => InspectReply::default(),
    }
}

/// The protocol counts characters (Unicode code points), Rust counts bytes.
fn byte_position(code: &str, characters: usize) -> usize {
    code.char_indices().nth(characters).map_or(code.len(), |(at, _)| at)
}

fn characters(code: &str, byte: usize) -> usize {
    code[..byte].chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita_interpreter::{Completion, completion::Kind};

    #[test]
    fn positions_are_characters_and_kinds_are_said_beside_the_names() {
        // Two bytes each in UTF-16, four in UTF-8, and one position in the protocol.
        let code = "\u{1f680}\u{1f680} + grö";
        assert_eq!(byte_position(code, 4), 10);
        assert_eq!(byte_position(code, 99), code.len());
        let item = Completion {
            text: "größe".into(),
            kind: Kind::Variable,
            signature: Some("f64".into()),
            summary: None,
        };
        let reply = reply(code, &Completions { start: 11, end: code.len(), items: vec![item] });
        assert_eq!((reply.cursor_start, reply.cursor_end), (5, 8));
        let described = &reply.metadata["_jupyter_types_experimental"][0];
        assert_eq!(
            described,
            &json!({"text": "größe", "type": "variable", "signature": "f64", "start": 5, "end": 8})
        );
    }
}
