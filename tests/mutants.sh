#!/usr/bin/env bash
# Mutations of src that the tests once let pass. Each is made alone, in a copy of the
# project, and the tests named behind it have to fail. Prints a line for each; ends with 1
# if one survives, or if the code has changed so that it cannot be made.
#
#     tests/mutants.sh [PATTERN]      only those whose name has PATTERN
set -u
cd "$(dirname "$0")/.."

work=$PWD/target/mutants
tree=$work/tree
export CARGO_TARGET_DIR=$work/target
# A hang counts as a failure that the test would report by itself, later.
readonly LIMIT=600
failed=0

rm -rf "$tree"
mkdir -p "$tree"
git ls-files -z --cached --others --exclude-standard | tar --null -T - -cf - | tar -xf - -C "$tree"
cd "$tree" || exit 1

# mutant NAME FILE SED-EXPRESSION TEST-ARGUMENTS...
mutant() {
  local name=$1 file=$2 expression=$3 said
  shift 3
  case $name in *"$pattern"*) ;; *) return ;; esac
  cp "$file" "$work/original"
  sed -i -E "$expression" "$file"
  if cmp -s "$file" "$work/original"; then
    printf 'NOT MADE  %s: %s has changed\n' "$name" "$file"
    failed=1
    return
  fi
  if ! said=$(cargo test --no-run "$@" 2>&1); then
    printf 'REFUSED   %s: the compiler does\n' "$name"
  elif timeout "$LIMIT" cargo test "$@" >"$work/log" 2>&1; then
    printf 'SURVIVED  %s\n' "$name"
    failed=1
  else
    printf 'caught    %s\n' "$name"
  fi
  cp "$work/original" "$file"
}

pattern=${1:-}

mutant 'keep-alives extend the idle deadline' src/answer/mod.rs \
  's/^        if !self\.batch\.is_empty\(\) \{$/        self.token.progress();\n&/' --test http keep_alives
mutant 'an answer may end with one of its choices open' src/answer/mod.rs \
  's/\(self\.reasons\.is_empty\(\) \|\| !open\.is_empty\(\)\)/self.reasons.is_empty()/' --test openai choice
mutant 'the queue holds 16 times its bytes' src/session/queue.rs \
  's/> self\.max_bytes/> self.max_bytes * 16/' --lib queue
mutant '409 and 425 are not retried' src/fault.rs \
  's/408 \| 409 \| 425 \| 500\.\./408 | 500../' --test openai what_can_heal
mutant 'retries come without jitter' src/client.rs \
  's/\(1\.0 - 0\.25 \* fastrand::f64\(\)\)/1.0/' --lib waits_before_retries
mutant 'error_message is ignored in a body' src/fault.rs \
  's/"error_message"/"no_such_field"/' --test errors error_message
mutant 'error_message is ignored in an event' src/dialects/shared/chat.rs \
  's/\[&self\.error, &self\.error_message, &self\.base_resp\]/[\&self.error, \&self.base_resp]/' --test errors error_message
mutant 'the refusal of stream_options is not remembered' src/attempt/heal.rs \
  's/_ => self\.remember\(place, prescription\),/_ => {}/' --test openai usage_is_not_asked
mutant 'bodies of errors are not cut' src/attempt/mod.rs \
  's/\.cut\(self\.config\.max_error_bytes\)//' --test errors bodies_of_errors
mutant 'bodies of errors are read without limit' src/attempt/mod.rs \
  's/read_to_limit\(self\.config\.max_error_bytes, &mut body\)/read_to_limit(usize::MAX, \&mut body)/' --test errors error_without_end
mutant 'pages are read without limit' src/attempt/mod.rs \
  's/read_to_limit\(self\.config\.max_error_bytes, &mut page\)/read_to_limit(usize::MAX, \&mut page)/' --test errors error_without_end
mutant 'fetched files have no limit' src/attempt/mod.rs \
  's/read_to_limit\(self\.config\.max_event_bytes, &mut bytes\)/read_to_limit(usize::MAX, \&mut bytes)/' --test gigachat file_larger
mutant 'secrets are not wiped' src/secret.rs \
  's/^pub\(crate\) struct Secret\(Zeroizing<String>\);/pub(crate) struct Secret(std::mem::ManuallyDrop<Zeroizing<String>>);/; s/Secret\(Zeroizing::new\(text\.to_owned\(\)\)\)/Secret(std::mem::ManuallyDrop::new(Zeroizing::new(text.to_owned())))/; s/Secret\(Zeroizing::new\(BASE64\.encode\(&\*both\)\)\)/Secret(std::mem::ManuallyDrop::new(Zeroizing::new(BASE64.encode(\&*both))))/' --lib wiped
mutant 'header values are not wiped' src/http/headers.rs \
  's/Zeroizing<String>/String/; s/Zeroizing::new\(value\.to_owned\(\)\)/value.to_owned()/; s/^use zeroize::Zeroizing;//' --lib wiped
mutant 'a child of fork uses the threads and accounts of its parent' src/process.rs \
  's/if own\.process != this\(\)/if false/' --test host children
mutant 'a child of fork may use the clients of its parent' src/ffi/process.rs \
  's/process::forked\(\);//' --test host children
mutant 'the callback of one session holds up the others' src/session/interrupter.rs \
  's/^( +)call_apart\(ready\);/\1ready.call();/' --test host callback
mutant 'a signal handler takes locks' src/session/control.rs \
  's/bell::ring\(\|\| \{/let ring = |work: \&dyn Fn()| work();\n        ring(\&|| {/' --test host signal
mutant 'pthread_cancel unwinds through a poll' src/ffi/cancellation.rs \
  's/const PTHREAD_CANCEL_DISABLE: c_int = .*/const PTHREAD_CANCEL_DISABLE: c_int = 0;/' --test host thread_that
mutant 'threads of the library take signals' src/thread.rs \
  's/SigSet::all\(\)\.thread_swap_mask/SigSet::empty().thread_swap_mask/' --test system every_signal
mutant 'a request is sent with writev, which raises SIGPIPE' src/transport/socket.rs \
  's/^impl Write for Socket \{/&\n    fn write_vectored(\&mut self, pieces: \&[io::IoSlice<'"'"'_>]) -> io::Result<usize> {\n        (\&*self.stream).write_vectored(pieces)\n    }\n/' --test tls sigpipe
mutant 'a second request has no deadline for its connection' src/transport/dial/mod.rs \
  's/^        token\.connecting\(\);//' --lib second_request
mutant 'a late cancel hits a kept connection' src/transport/line.rs \
  's/^        self\.line\.socket\.release\(\);//' --lib late_cancel
mutant 'a callback comes after its session was freed' src/session/mod.rs \
  's/^        self\.control\.on_ready\(None\);//; s/drop\(self\.control\.end\(\)\);/if let Some(ready) = self.control.end() { ready.call(); }/' --test readiness no_callback
mutant 'a 2xx answer has no request id' src/attempt/mod.rs \
  's/self\.request_id = fault::request_id\(&response\.headers\);/if response.status >= 300 { self.request_id = fault::request_id(\&response.headers) }/' --test errors request_id
mutant 'addresses are not tried in turns' src/transport/dial/tcp.rs \
  's/addresses\.extend\(second\.next\(\)\);//' --lib tried_in_turns
mutant 'addresses are tried all at once' src/transport/dial/tcp.rs \
  's/^const STAGGER: Duration = .*/const STAGGER: Duration = Duration::ZERO;/' --lib next_address
mutant 'a message is sent twice with max_retries 0' src/transport/agent.rs \
  's|\(request\.resend$|(true|' --test http post_that
mutant 'a text with a control character is like another' src/json/mould.rs \
  's/let ends = quotes \| backslashes \| controls;/let ends = quotes | backslashes;/' --lib mould
mutant 'a key that comes twice tells the text' src/json/mould.rs \
  's/count\(self\.places\.text\) == 1/count(self.places.text) >= 1/' --lib mould
mutant 'chunks stay in the library while the server is waited for' src/transport/pipe.rs \
  's/^( +)before_waiting\(\)\.map_err\(io::Error::other\)\?;/\1let _ = \&before_waiting;/' --test streaming chunk_is_handed_out
mutant 'headers of a request are not sent' src/attempt/mod.rs \
  's/headers\.iter\(\)\.chain\(own\)/headers.iter().chain(own.take(0))/' --test requests
mutant 'a request has the retries of its client' src/client.rs \
  's/tries < config\.max_retries/tries < self.0.config.max_retries/' --test requests
mutant 'lines of the log name no session' src/thread.rs \
  's/host::for_session\(job\.session, \|\| panics::caught\(job\.work\)\)/panics::caught(job.work)/' --test log name_their
mutant 'the line of a cut reply names no session' src/session/current.rs \
  's/host::for_session\(self\.0\.session, /host::for_session(0, /' --test log name_their
mutant 'a connection to a proxy is one to the server' src/transport/dial/mod.rs \
  's/^        let socket = Socket::bound/        token.times().reach(Stage::Connected);\n&/' --test knows not_reached
mutant 'a session knows the response of an earlier attempt' src/attempt/facts.rs \
  's/known\.response = Received::default\(\);//' --test knows last_attempt
mutant 'a file of an answer is taken for the response' src/attempt/mod.rs \
  's/request\.is_file = true;//' --test knows file_that
mutant 'cookies are shown' src/attempt/facts.rs \
  's/"set-cookie",/"set-cookie3",/' --test knows credentials
mutant 'headers show keys' src/attempt/facts.rs \
  's/redact\(&mut received\.headers, secrets\);//' --test knows credentials
mutant 'gaps are not measured' src/transport/body.rs \
  's/gap > self\.longest/gap < self.longest/' --test knows longest_gap
mutant 'recordings lose rate limits' src/recording/write.rs \
  's/ \|\| name\.contains\("ratelimit"\)//' --test knows recording
mutant 'tool calls that are cut are given' src/session/reply.rs \
  's/filter\(move \|call\| call\.is_whole\(finished\)\)/filter(move |_| finished || true)/' --test knows tool_calls
mutant 'text that C sees has no NUL after it' src/session/reply.rs \
  's/self\.text\.push\(.*\);//; s/self\.text\.pop\(\);//' --test knows freed_with
mutant 'a wait for several sessions is not woken' src/session/readiness.rs \
  's/^ +self\.waiters\.iter\(\)\.for_each\(.*//' --test waiting finds
mutant 'a wait for several sessions finds the lowest index' src/session/waiter.rs \
  's/session\.queue\.take_turn\(.*\);//' --test waiting finds
mutant 'a cancelled session is not ready yet' src/session/waiter.rs \
  's/turn\(session\.token\.is_cancelled\(\)\)/turn(false)/' --test waiting finds
mutant 'all sessions of the process are cancelled' src/session/interrupter.rs \
  's/\|\(owner, _\)\| \*owner == client/|_| client == client/' --test waiting finds
mutant 'embeddings may be as deep as they like' src/dialects/shared/embeddings.rs \
  's/^ +json::check_depth\(.*//' --test embeddings deeper
mutant 'a compressed raw body may be cut' src/attempt/mod.rs \
  's/^( +)0 => return Err\(self\.truncated\(\)\),$/\10 => break,/' --test raw cut
mutant 'the model is known only where its chunk is the last of a poll' src/session/current.rs \
  's/polled\.find\(/polled.next_back().filter(/' --lib start_is_found
mutant 'the pages of a list are limited one by one' src/attempt/mod.rs \
  's/self\.aside\.saturating_add\(/0_usize.saturating_add(/' --test models pages_of
exit "$failed"
