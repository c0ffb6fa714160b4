// A conversation with a model, its answers printed as they arrive: each line of the standard
// input is a question.
//
//     chat PROVIDER [KEY=VALUE ...]        chat openai model=gpt-4o-mini
#include <iostream>
#include <string>
#include <string_view>

#include <tolmach.hpp>

namespace {

int fail(const tolmach::error& error) {
  std::cerr << "chat: " << error.message() << '\n';
  if (const auto wait = error.retry_after()) {
    std::cerr << "chat: try again in " << wait->count() << " ms\n";
  }
  return 1;
}

/// Asks, prints the answer and appends it to the conversation.
tolmach::expected<void> answer(const tolmach::client& client, tolmach::request& conversation) {
  auto session = client.open(conversation);
  if (!session) return tolmach::unexpected(session.error());
  for (const auto& chunk : *session) {
    if (!chunk) return tolmach::unexpected(chunk.error());
    if (chunk->kind() == tolmach::chunk_kind::text) std::cout << chunk->text() << std::flush;
  }
  std::cout << '\n';
  return conversation.reply(*session);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: chat PROVIDER [KEY=VALUE ...]\n";
    return 2;
  }
  auto config = tolmach::config::create(argv[1]);
  if (!config) return fail(config.error());
  for (int at = 2; at < argc; ++at) {
    const std::string_view setting = argv[at];
    const auto sign = setting.find('=');
    const auto value = sign < setting.size() ? setting.substr(sign + 1) : std::string_view();
    if (auto set = config->set(setting.substr(0, sign), value); !set) return fail(set.error());
  }
  const auto client = tolmach::client::create(*config);
  if (!client) return fail(client.error());
  auto conversation = tolmach::request::create();
  if (!conversation) return fail(conversation.error());

  for (std::string question; std::getline(std::cin, question);) {
    if (auto asked = conversation->user(question); !asked) return fail(asked.error());
    if (auto done = answer(*client, *conversation); !done) return fail(done.error());
  }
}
