package tolmach

// #include <tolmach.h>
import "C"

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Status is the class of an error: what [errors.Is] asks for. The set is open: a later
// library may know more of them.
type Status int32

const (
	// ErrArgument: a bad key, value, role or JSON. Mend the program.
	ErrArgument Status = C.TOLMACH_E_ARGUMENT
	// ErrBusy does not arise in this package, which lets one goroutine poll after the other.
	ErrBusy Status = C.TOLMACH_E_BUSY
	// ErrCancelled: the session was cancelled, by its context or by leaving its loop.
	ErrCancelled Status = C.TOLMACH_E_CANCELLED
	// ErrTimeout: one of the config's deadlines passed; the message says which.
	ErrTimeout Status = C.TOLMACH_E_TIMEOUT
	// ErrDNS: the host's name could not be resolved.
	ErrDNS Status = C.TOLMACH_E_DNS
	// ErrConnect: refused, reset, unreachable, or the proxy would not.
	ErrConnect Status = C.TOLMACH_E_CONNECT
	// ErrTLS: the TLS handshake or a certificate failed.
	ErrTLS Status = C.TOLMACH_E_TLS
	// ErrAuth: missing or rejected credentials.
	ErrAuth Status = C.TOLMACH_E_AUTH
	// ErrQuota: payment required, or quota spent.
	ErrQuota Status = C.TOLMACH_E_QUOTA
	// ErrRateLimited: too many requests. [Error.RetryAfter] may say when to return.
	ErrRateLimited Status = C.TOLMACH_E_RATE_LIMITED
	// ErrBadRequest: the provider says that the request is wrong.
	ErrBadRequest Status = C.TOLMACH_E_BAD_REQUEST
	// ErrNotFound: no such model or endpoint.
	ErrNotFound Status = C.TOLMACH_E_NOT_FOUND
	// ErrContextLength: the prompt does not fit the model's context.
	ErrContextLength Status = C.TOLMACH_E_CONTEXT_LENGTH
	// ErrBlocked: content policy, or a bot-protection page.
	ErrBlocked Status = C.TOLMACH_E_BLOCKED
	// ErrServer: the provider failed or is overloaded.
	ErrServer Status = C.TOLMACH_E_SERVER
	// ErrProvider: an error of the provider's that fits no class above.
	ErrProvider Status = C.TOLMACH_E_PROVIDER
	// ErrProtocol: not the protocol expected, such as a web page, bad JSON or a redirect.
	ErrProtocol Status = C.TOLMACH_E_PROTOCOL
	// ErrTruncated: the answer stopped before its end.
	ErrTruncated Status = C.TOLMACH_E_TRUNCATED
	// ErrTooLarge: a configured limit was exceeded; the message names it.
	ErrTooLarge Status = C.TOLMACH_E_TOO_LARGE
	// ErrUnsupported: the provider, or this build, cannot do that.
	ErrUnsupported Status = C.TOLMACH_E_UNSUPPORTED
	// ErrInternal: a bug in the library. Please report it.
	ErrInternal Status = C.TOLMACH_E_INTERNAL
	// ErrNoMemory: the system has no more memory, threads or file descriptors.
	ErrNoMemory Status = C.TOLMACH_E_NO_MEMORY
)

// Error is the library's name of the status, such as "TOLMACH_E_TIMEOUT".
func (s Status) Error() string {
	return C.GoString(C.tolmach_status_name(C.tolmach_status(s)))
}

// IsTransient tells whether the same request may succeed later: no connection, a timeout, too
// many requests, a provider that failed, an answer that was cut. What the config's max_retries
// allows has been tried by then.
func (s Status) IsTransient() bool {
	return C.tolmach_status_is_transient(C.tolmach_status(s)) != 0
}

// ErrClosed is what the use of an object comes to after its Close.
var ErrClosed = errors.New("tolmach: already closed")

// An Error says what went wrong, to people and logs; programs decide by its Status. It never
// holds a credential of yours; Message and Body may hold the provider's own words.
type Error struct {
	// Status is the class of the error.
	Status Status
	// Message is one line: what was wrong and what would be right.
	Message string
	// HTTPStatus of the provider's answer, such as 429; 0 when there was none.
	HTTPStatus int
	// RetryAfter is how long the provider asks to wait before the next try; negative when it
	// did not say.
	RetryAfter time.Duration
	// ProviderCode is the provider's own code or type, such as "model_not_found"; empty when
	// there was none.
	ProviderCode string
	// RequestID is what the provider's support asks for; empty when there was none.
	RequestID string
	// Body is the answer, or the event, that the error came in, cut at max_error_bytes.
	Body string

	// What the context that was done says.
	cause error
}

func (e *Error) Error() string {
	message := "tolmach: " + e.Message
	if e.cause != nil {
		message += ": " + e.cause.Error()
	}
	return message
}

// IsTransient tells whether the same request may succeed later: see [Status.IsTransient].
func (e *Error) IsTransient() bool {
	return e.Status.IsTransient()
}

// Unwrap gives the Status, and the error of the context whose end was the reason.
func (e *Error) Unwrap() []error {
	if e.cause == nil {
		return []error{e.Status}
	}
	return []error{e.Status, e.cause}
}

// outcome is what a call came to: nil, or the [*Error] that it gave, which is freed.
func outcome(status C.tolmach_status, given *C.tolmach_error) error {
	if status >= 0 {
		return nil
	}
	defer C.tolmach_error_free(given)
	err := &Error{
		Status:       Status(status),
		Message:      text(C.tolmach_error_message(given)),
		HTTPStatus:   int(C.tolmach_error_http_status(given)),
		RetryAfter:   -1,
		ProviderCode: text(C.tolmach_error_provider_code(given)),
		RequestID:    text(C.tolmach_error_request_id(given)),
		Body:         text(C.tolmach_error_body(given)),
	}
	if wait := C.tolmach_error_retry_after_ms(given); wait >= 0 {
		err.RetryAfter = time.Duration(wait) * time.Millisecond
	}
	return err
}

// misuse is an error of the caller's that the library need not be asked about.
func misuse(message string) error {
	return &Error{Status: ErrArgument, Message: message, RetryAfter: -1}
}

// cancelled is what a call comes to whose context is done.
func cancelled(ctx context.Context, message string) error {
	cause := ctx.Err()
	if reason := context.Cause(ctx); reason != cause {
		cause = fmt.Errorf("%w: %w", cause, reason)
	}
	return &Error{Status: ErrCancelled, Message: message, RetryAfter: -1, cause: cause}
}

// What an [AnswerError] is about, for [errors.Is].
var (
	// ErrRounds: the model still calls tools in the last round of [Client.Run].
	ErrRounds = errors.New("the model called tools in every round")
	// ErrFormat: the answer is not the JSON that [AskFor] wants, or is a tool call cut short.
	ErrFormat = errors.New("the answer does not have the right format")
)

// An AnswerError says that an answer arrived, and is not what the program wants. It is
// [ErrRounds] or [ErrFormat].
type AnswerError struct {
	// Answer that arrived. Its Text is what was to be JSON.
	Answer *Answer

	class  error
	reason string
}

func (e *AnswerError) Error() string {
	message := "tolmach: " + e.class.Error()
	if e.reason != "" {
		message += ": " + e.reason
	}
	return message
}

// Unwrap gives ErrRounds or ErrFormat.
func (e *AnswerError) Unwrap() error {
	return e.class
}
