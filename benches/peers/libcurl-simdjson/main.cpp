// flood|paced URL: reads an answer by libcurl and simdjson.
// idle|rate URL SESSIONS: reads many at once, by libcurl's multi interface. idle: what a
// session holds after its first text. rate: reads all to their ends.
#include "../many.h"

#include <curl/curl.h>
#include <simdjson.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

using simdjson::ondemand::object;
using simdjson::ondemand::raw_json_string;

namespace {

struct Reader {
  measure *m;
  simdjson::ondemand::parser &parser;
  // The bytes that are not read yet: data[begin..end), with room for simdjson behind them.
  std::vector<char> data;
  size_t begin = 0, end = 0;
  size_t reasoning = 0, arguments = 0;
  bool done = false, finished = false;
  std::string error;

  Reader(measure *m, simdjson::ondemand::parser &parser, size_t room) : m(m), parser(parser), data(room) {}

  void failed(std::string_view why) {
    if (error.empty()) error = why;
  }

  void delta(object fields) {
    for (auto field : fields) {
      raw_json_string key = field.key();
      simdjson::ondemand::value value = field.value();
      if (key == "content" || key == "reasoning_content") {
        if (value.is_null()) continue;
        std::string_view text = value.get_string();
        if (key == "content") {
          measure_text(m, text.data(), text.size());
        } else {
          reasoning += text.size();
        }
      } else if (key == "tool_calls") {
        if (value.is_null()) continue;
        for (object call : value.get_array()) {
          object function;
          std::string_view piece;
          if (call["function"].get(function) != simdjson::SUCCESS) continue;
          if (function["arguments"].get(piece) == simdjson::SUCCESS) arguments += piece.size();
        }
      }
    }
  }

  void event(char *json, size_t len) {
    auto document = parser.iterate(json, len, data.size() - static_cast<size_t>(json - data.data()));
    for (auto field : document.get_object()) {
      raw_json_string key = field.key();
      if (key == "choices") {
        for (object choice : field.value().get_array()) {
          for (auto part : choice) {
            raw_json_string name = part.key();
            simdjson::ondemand::value value = part.value();
            if (name == "delta") {
              delta(value.get_object());
            } else if (name == "finish_reason" && !value.is_null()) {
              finished = true;
            }
          }
        }
      } else if (key == "error") {
        simdjson::ondemand::value value = field.value();
        if (!value.is_null()) failed(std::string_view(value.raw_json_token()));
      }
    }
    m->chunks++;
  }

  void line(char *text, size_t len) {
    if (len > 0 && text[len - 1] == '\r') len--;
    if (len < 5 || memcmp(text, "data:", 5) != 0) return;
    text += 5, len -= 5;
    if (len > 0 && *text == ' ') text++, len--;
    if (len == 6 && memcmp(text, "[DONE]", 6) == 0) {
      done = true;
    } else {
      event(text, len);
    }
  }

  void write(const char *bytes, size_t len) {
    if (end + len + simdjson::SIMDJSON_PADDING > data.size()) {
      memmove(data.data(), data.data() + begin, end - begin);
      end -= begin, begin = 0;
      if (end + len + simdjson::SIMDJSON_PADDING > data.size()) {
        data.resize(2 * (end + len) + simdjson::SIMDJSON_PADDING);
      }
    }
    memcpy(data.data() + end, bytes, len);
    end += len;
    char *start = data.data() + begin, *stop = data.data() + end;
    while (void *newline = memchr(start, '\n', static_cast<size_t>(stop - start))) {
      char *next = static_cast<char *>(newline);
      line(start, static_cast<size_t>(next - start));
      start = next + 1;
    }
    begin = static_cast<size_t>(start - data.data());
    if (begin == end) begin = end = 0;
  }
};

size_t on_body(char *bytes, size_t, size_t len, void *user) {
  auto reader = static_cast<Reader *>(user);
  try {
    reader->write(bytes, len);
  } catch (const simdjson::simdjson_error &error) {
    reader->failed(error.what());
  }
  return reader->error.empty() ? len : 0;
}

// A request for the answer at `url` that `reader` reads.
CURL *request(const std::string &url, const curl_slist *headers, Reader *reader) {
  CURL *curl = curl_easy_init();
  curl_easy_setopt(curl, CURLOPT_URL, (url + "/chat/completions").c_str());
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS,
                   R"({"model":"m","messages":[{"role":"user","content":"Hello"}],"stream":true})");
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, reader);
  return curl;
}

void finish(CURLcode code, const Reader &reader) {
  if (!reader.error.empty()) fail(reader.error.c_str());
  if (code != CURLE_OK) fail(curl_easy_strerror(code));
  if (!reader.done || !reader.finished) fail("the answer stopped before its end");
}

void many(bool idle, const std::string &url, int count, const curl_slist *headers) {
  measure m;
  simdjson::ondemand::parser parser;
  std::vector<std::unique_ptr<Reader>> readers;
  CURLM *multi = curl_multi_init();
  auto add = [&] {
    readers.push_back(std::make_unique<Reader>(&m, parser, 0));
    curl_multi_add_handle(multi, request(url, headers, readers.back().get()));
  };
  // Runs until there are so many chunks, or no more answers.
  auto run = [&](uint64_t chunks) {
    int running = 1;
    while (running > 0 && m.chunks < chunks) {
      if (curl_multi_perform(multi, &running) != CURLM_OK) fail("curl_multi_perform");
      if (running > 0 && m.chunks < chunks) curl_multi_poll(multi, nullptr, 0, 1000, nullptr);
    }
  };
  measure_start(&m, idle ? "flood" : "paced");
  if (idle) {
    // What the first request of a process costs is no request's own. An answer begins with
    // a chunk without text.
    add();
    run(2);
    held before = held_now();
    for (int i = 0; i < count; i++) add();
    run(2 * (static_cast<uint64_t>(count) + 1));
    held_report(before, count);
    return;
  }
  for (int i = 0; i < count; i++) add();
  run(UINT64_MAX);
  for (const auto &reader : readers) finish(CURLE_OK, *reader);
  measure_end(&m);
}

}  // namespace

int main(int argc, char **argv) {
  if (argc < 3) fail("usage: libcurl-simdjson flood|paced URL | idle|rate URL SESSIONS");
  std::string mode = argv[1];
  measure m;
  measure_start(&m, argv[1]);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  curl_slist *headers = curl_slist_append(nullptr, "Content-Type: application/json");
  headers = curl_slist_append(headers, "Accept: text/event-stream");
  headers = curl_slist_append(headers, "Authorization: Bearer key");
  if (argc > 3) {
    more_descriptors();
    many(mode == "idle", argv[2], atoi(argv[3]), headers);
    return 0;
  }
  simdjson::ondemand::parser parser;
  Reader reader(&m, parser, 64 * 1024);
  CURL *curl = request(argv[2], headers, &reader);
  finish(curl_easy_perform(curl), reader);
  curl_slist_free_all(headers);
  curl_easy_cleanup(curl);
  measure_end(&m);
  return 0;
}
