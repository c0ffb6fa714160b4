//! One program, unchanged, in every dialect, against a server that nobody here wrote.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails where it cannot go on"
)]

mod support;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use support::aimock::{Aimock, KEY};
use support::{c, tap};

/// The picture that the program attaches.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==";

const QUESTION: &str = "What is it like in this city?";

/// Has tests/c/dialects.c talk to a `model` of `provider`, whose API is at `path`. Returns what
/// the server was sent in the three turns; `None` where there is no server.
fn converse(provider: &str, path: &str, model: &str) -> Option<[Value; 3]> {
    let server = Aimock::shared()?;
    let tap = tap::before(server.address());
    let program = c::program("dialects").arg(format!("{}{path}", tap.url())).arg(model);
    let program = program.env("TEST_PROVIDER", Some(provider)).env("TEST_KEY", Some(KEY));
    assert_eq!(
        program.run().passed().stdout,
        "reasoning Two tools at once.\n\
         call get_weather {\"city\":\"Oslo\"}\n\
         call get_time {\"city\":\"Oslo\"}\n\
         finish tool_calls\n\
         reasoning Both have answered.\n\
         text Three degrees at noon.\n\
         finish stop\n\
         text You are welcome.\n\
         finish stop\n"
    );
    let turns: Vec<Value> = tap.requests().iter().map(|request| request.json()).collect();
    Some(turns.try_into().unwrap())
}

/// Fails unless each turn holds what the one before it held in its `list`, and more after it.
/// Returns what the last one holds.
fn history(turns: &[Value; 3], list: &str) -> Vec<Value> {
    let [first, second, third] = turns.each_ref().map(|turn| turn[list].as_array().unwrap());
    assert!(second.starts_with(first) && second.len() > first.len(), "{second:?}");
    assert!(third.starts_with(second) && third.len() > second.len(), "{third:?}");
    third.clone()
}

/// The names of the tools of a request, which are `at` this place of each.
fn names<'a>(tools: &'a Value, at: &str) -> Vec<&'a str> {
    let tools = tools.as_array().unwrap().iter();
    tools.map(|tool| tool.pointer(at).unwrap().as_str().unwrap()).collect()
}

#[test]
fn openai_chat_holds_a_conversation_with_tools_and_an_image() {
    let Some(turns) = converse("openai", "/v1", "o3") else { return };
    let said = history(&turns, "messages");
    assert_eq!(said[0]["content"], "You are brief.");
    let picture = format!("data:image/png;base64,{PIXEL}");
    assert_eq!(
        said[1]["content"],
        json!([
            {"type": "image_url", "image_url": {"url": picture}},
            {"type": "text", "text": QUESTION},
        ])
    );
    let calls = &said[2]["tool_calls"];
    assert_eq!(names(calls, "/function/name"), ["get_weather", "get_time"]);
    assert_eq!(
        said[3..5],
        [
            json!({"role": "tool", "tool_call_id": calls[0]["id"], "content": "{\"degrees\":3}"}),
            json!({"role": "tool", "tool_call_id": calls[1]["id"], "content": "noon"}),
        ]
    );
    assert_eq!(said[5]["content"], "Three degrees at noon.");
    assert_eq!(said[6], json!({"role": "user", "content": "Thank you."}));
    for turn in turns {
        assert_eq!(names(&turn["tools"], "/function/name"), ["get_weather", "get_time"]);
        assert_eq!(turn["reasoning_effort"], "medium");
    }
}

#[test]
fn openai_responses_holds_a_conversation_with_tools_and_an_image() {
    let Some(turns) = converse("openai-responses", "/v1", "gpt-5.4") else { return };
    let said = history(&turns, "input");
    let picture = format!("data:image/png;base64,{PIXEL}");
    assert_eq!(
        said[0]["content"],
        json!([
            {"type": "input_image", "image_url": picture},
            {"type": "input_text", "text": QUESTION},
        ])
    );
    for (reasoning, summary) in
        [(&said[1], "Two tools at once."), (&said[6], "Both have answered.")]
    {
        // What the server made of the item's id, in the place of a real secret.
        let id = reasoning["id"].as_str().unwrap();
        let sealed = BASE64_STANDARD.encode(format!("aimock-encrypted-reasoning:{id}"));
        assert_eq!(
            *reasoning,
            json!({
                "type": "reasoning",
                "id": id,
                "summary": [{"type": "summary_text", "text": summary}],
                "encrypted_content": sealed,
            })
        );
    }
    for (call, name) in [(&said[2], "get_weather"), (&said[3], "get_time")] {
        assert_eq!(call["type"], "function_call");
        assert_eq!(call["name"], name);
        assert_eq!(call["arguments"], "{\"city\":\"Oslo\"}");
    }
    assert_eq!(
        said[4..6],
        [
            json!({"type": "function_call_output", "call_id": said[2]["call_id"], "output": "{\"degrees\":3}"}),
            json!({"type": "function_call_output", "call_id": said[3]["call_id"], "output": "noon"}),
        ]
    );
    assert_eq!(said[7]["content"][0]["text"], "Three degrees at noon.");
    assert_eq!(said[8]["content"][0]["text"], "Thank you.");
    for turn in turns {
        assert_eq!(turn["instructions"], "You are brief.");
        assert_eq!(names(&turn["tools"], "/name"), ["get_weather", "get_time"]);
        assert_eq!(turn["reasoning"]["effort"], "medium");
    }
}

#[test]
fn anthropic_holds_a_conversation_with_tools_and_an_image() {
    let Some(turns) = converse("anthropic", "/v1", "claude-sonnet-4-5") else { return };
    let said = history(&turns, "messages");
    let picture = json!({"type": "base64", "media_type": "image/png", "data": PIXEL});
    assert_eq!(
        said[0]["content"],
        json!([{"type": "image", "source": picture}, {"type": "text", "text": QUESTION}])
    );
    let signed = |thinking: &str| json!({"type": "thinking", "thinking": thinking, "signature": "aimock-placeholder-signature"});
    let calls = &said[1]["content"];
    assert_eq!(calls[0], signed("Two tools at once."));
    for (call, name) in [(&calls[1], "get_weather"), (&calls[2], "get_time")] {
        assert_eq!(call["type"], "tool_use");
        assert_eq!(call["name"], name);
        assert_eq!(call["input"], json!({"city": "Oslo"}));
    }
    for (result, call, text) in [(0, 1, "{\"degrees\":3}"), (1, 2, "noon")] {
        let result = &said[2]["content"][result];
        assert_eq!(result["type"], "tool_result");
        assert_eq!(result["tool_use_id"], calls[call]["id"]);
        assert_eq!(result["content"], json!([{"type": "text", "text": text}]));
    }
    assert_eq!(
        said[3]["content"],
        json!([signed("Both have answered."), {"type": "text", "text": "Three degrees at noon."}])
    );
    assert_eq!(said[4]["content"], json!([{"type": "text", "text": "Thank you."}]));
    for turn in turns {
        assert_eq!(turn["system"][0]["text"], "You are brief.");
        assert_eq!(names(&turn["tools"], "/name"), ["get_weather", "get_time"]);
        assert_eq!(turn["thinking"]["type"], "enabled");
    }
}

/// The server gives no signatures: in their place Gemini takes one that says so.
#[test]
fn gemini_holds_a_conversation_with_tools_and_an_image() {
    let Some(turns) = converse("gemini", "/v1beta", "gemini-4-argon") else { return };
    let said = history(&turns, "contents");
    let picture = json!({"mimeType": "image/png", "data": PIXEL});
    assert_eq!(said[0]["parts"], json!([{"inlineData": picture}, {"text": QUESTION}]));
    for (part, name) in [(0, "get_weather"), (1, "get_time")] {
        let call = &said[1]["parts"][part];
        assert_eq!(call["functionCall"]["name"], name);
        assert_eq!(call["functionCall"]["args"], json!({"city": "Oslo"}));
        assert_eq!(call["thoughtSignature"], "skip_thought_signature_validator");
    }
    for (part, name, value) in
        [(0, "get_weather", json!({"degrees": 3})), (1, "get_time", json!({"output": "noon"}))]
    {
        let result = &said[2]["parts"][part]["functionResponse"];
        assert_eq!(result["name"], name);
        assert_eq!(result["response"], value);
    }
    assert_eq!(said[3]["parts"], json!([{"text": "Three degrees at noon."}]));
    assert_eq!(said[4]["parts"], json!([{"text": "Thank you."}]));
    for turn in turns {
        assert_eq!(turn["systemInstruction"]["parts"], json!([{"text": "You are brief."}]));
        let functions = &turn["tools"][0]["functionDeclarations"];
        assert_eq!(names(functions, "/name"), ["get_weather", "get_time"]);
        assert_eq!(turn["generationConfig"]["thinkingConfig"]["includeThoughts"], true);
    }
}
