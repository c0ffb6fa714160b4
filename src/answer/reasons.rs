//! The reasons why an answer ended, in OpenAI's words.

/// OpenAI's word for a reason; `None` where the reason is a failure.
///
/// Reasons that stand in no list stay as they are: those that only pause a turn
/// (`pause_turn`, `compaction`, `requires_continuation`, `CONTINUATION`) and those that have no
/// word of OpenAI's (`steered`, `NO_IMAGE`, `IMAGE_OTHER`, `OTHER`).
pub(super) fn unified(raw: &str, calls: bool) -> Option<&str> {
    let is_one_of = |reasons: &[&str]| reasons.contains(&raw);
    Some(match () {
        () if is_one_of(STOP) => {
            if calls {
                "tool_calls"
            } else {
                "stop"
            }
        }
        () if is_one_of(LENGTH) => "length",
        () if is_one_of(TOOL_CALLS) => "tool_calls",
        () if is_one_of(CONTENT_FILTER) => "content_filter",
        () if is_one_of(FAILURES) => return None,
        () => raw,
    })
}

const STOP: &[&str] = &[
    "",
    "stop",
    "STOP",
    "eos",
    "end_turn",
    "stop_sequence",
    "STOP_SEQUENCE",
    "COMPLETE",
    "completed",
];

const LENGTH: &[&str] = &[
    "length",
    "max_tokens",
    "MAX_TOKENS",
    "model_length",
    "max_output_tokens",
    "max_messages",
    "model_context_window_exceeded",
];

const TOOL_CALLS: &[&str] =
    &["tool_calls", "tool_use", "TOOL_CALL", "function_call", "FUNCTION_CALL"];

/// Also the reasons for which a prompt is blocked.
const CONTENT_FILTER: &[&str] = &[
    "content_filter",
    "refusal",
    "content_filtered",
    "guardrail_intervened",
    "sensitive",
    "blacklist",
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "LANGUAGE",
    "ESCALATION",
    "PUP_LIMITED_DISABLED",
    "MODEL_ARMOR",
    "JAILBREAK",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
];

const FAILURES: &[&str] = &[
    "error",
    "ERROR",
    "TIMEOUT",
    "network_error",
    "abort",
    "failed",
    "cancelled",
    "budget_exceeded",
    "insufficient_system_resource",
    "malformed_model_output",
    "malformed_tool_use",
    "MALFORMED_FUNCTION_CALL",
    "MALFORMED_RESPONSE",
    "MISSING_THOUGHT_SIGNATURE",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_of_all_providers_are_openais() {
        for (reason, all) in [
            (Some("stop"), "stop STOP eos end_turn stop_sequence STOP_SEQUENCE COMPLETE completed"),
            (
                Some("length"),
                "length max_tokens MAX_TOKENS model_length max_output_tokens max_messages \
                 model_context_window_exceeded",
            ),
            (Some("tool_calls"), "tool_calls tool_use TOOL_CALL function_call FUNCTION_CALL"),
            (
                Some("content_filter"),
                "content_filter refusal content_filtered guardrail_intervened sensitive \
                 blacklist SAFETY RECITATION BLOCKLIST PROHIBITED_CONTENT SPII LANGUAGE \
                 ESCALATION PUP_LIMITED_DISABLED MODEL_ARMOR JAILBREAK IMAGE_SAFETY \
                 IMAGE_PROHIBITED_CONTENT IMAGE_RECITATION",
            ),
            (
                None,
                "error ERROR TIMEOUT network_error abort failed cancelled budget_exceeded \
                 insufficient_system_resource malformed_model_output malformed_tool_use \
                 MALFORMED_FUNCTION_CALL MALFORMED_RESPONSE MISSING_THOUGHT_SIGNATURE \
                 UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS",
            ),
        ] {
            for raw in all.split_whitespace() {
                assert_eq!(unified(raw, false), reason, "{raw}");
            }
        }
        assert_eq!(unified("", false), Some("stop"));
    }

    #[test]
    fn reasons_that_have_no_counterpart_stay_as_they_are() {
        for raw in [
            "pause_turn",
            "compaction",
            "requires_continuation",
            "CONTINUATION",
            "steered",
            "NO_IMAGE",
            "IMAGE_OTHER",
            "OTHER",
            "anything",
        ] {
            assert_eq!(unified(raw, false), Some(raw), "{raw}");
            assert_eq!(unified(raw, true), Some(raw), "{raw}");
        }
    }

    #[test]
    fn stop_with_tool_calls_is_tool_calls_and_length_stays() {
        for raw in ["", "stop", "STOP", "COMPLETE", "completed"] {
            assert_eq!(unified(raw, true), Some("tool_calls"), "{raw}");
        }
        assert_eq!(unified("length", true), Some("length"));
    }
}
