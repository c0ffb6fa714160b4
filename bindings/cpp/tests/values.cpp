// Types as JSON and their schema: no server is asked.
#include <limits>
#include <map>
#include <unordered_map>

#include "stage.hpp"

namespace {

enum class unit { metric, imperial };

struct place {
  std::string city;
  std::optional<int> days;
};

struct step {
  std::string what;
  std::vector<step> then;
};

struct plan {
  step first;
  std::vector<step> others;
};

struct tree {
  int value = 0;
  std::vector<tree> children;
};

struct everything {
  bool flag = false;
  double number = 0;
  std::int64_t large = 0;
  std::uint8_t small = 0;
  unit in = unit::metric;
  std::vector<place> places;
  std::vector<bool> flags;
  std::map<std::string, int> counts;
  tolmach::json_text raw;
};

/// A type that another JSON library is used for.
struct celsius {
  double degrees = 0;
};

}  // namespace

template <>
struct tolmach::schema<unit> {
  static constexpr std::array values = {tolmach::named("metric", unit::metric),
                                        tolmach::named("imperial", unit::imperial)};
};

template <>
struct tolmach::schema<place> {
  static constexpr const char* description = "Where";
  static constexpr auto members = std::tuple(
      tolmach::member("city", &place::city, "The city's \"name\""),
      tolmach::member("days", &place::days));
};

template <>
struct tolmach::schema<step> {
  static constexpr auto members =
      std::tuple(tolmach::member("what", &step::what), tolmach::member("then", &step::then));
};

template <>
struct tolmach::schema<plan> {
  static constexpr auto members =
      std::tuple(tolmach::member("first", &plan::first), tolmach::member("others", &plan::others));
};

template <>
struct tolmach::schema<tree> {
  static constexpr auto members = std::tuple(tolmach::member("value", &tree::value),
                                             tolmach::member("children", &tree::children));
};

template <>
struct tolmach::schema<everything> {
  using it = everything;
  static constexpr auto members = std::tuple(
      tolmach::member("flag", &it::flag), tolmach::member("number", &it::number, "Any"),
      tolmach::member("large", &it::large), tolmach::member("small", &it::small),
      tolmach::member("in", &it::in), tolmach::member("places", &it::places, "Where to"),
      tolmach::member("flags", &it::flags), tolmach::member("counts", &it::counts),
      tolmach::member("raw", &it::raw));
};

template <>
struct tolmach::schema<celsius> {
  static std::string json() { return R"({"type":"string"})"; }
  static tolmach::expected<celsius> parse(std::string_view json) {
    if (json == "\"hot\"") return celsius{40};
    return tolmach::unexpected(tolmach::error(status::protocol, "that is no temperature"));
  }
  static std::string write(const celsius& it) { return it.degrees > 30 ? "\"hot\"" : "\"cold\""; }
};

namespace {

/// What is said of `json` where it is no T.
template <class T>
std::string failure(std::string_view json) {
  const auto parsed = tolmach::parse<T>(json);
  if (parsed) return "nothing";
  CHECK_EQ(parsed.error().code(), tolmach::status::protocol);
  CHECK_EQ(parsed.error().body(), json);
  return std::string(parsed.error().message());
}

}  // namespace

TEST(described_struct_is_read_and_written) {
  constexpr std::string_view json =
      R"({"flag":true,"number":-2.5e3,"large":9223372036854775807,"small":255,"in":"imperial",)"
      R"("places":[{"city":"Oslo","days":3},{"city":"","days":null}],"flags":[true,false],)"
      R"("counts":{"a":1,"b":-2},"raw":[1, {"x":null}]})";
  const auto it = VALUE(tolmach::parse<everything>(json));
  CHECK_EQ(it.flag, true);
  CHECK_EQ(it.number, -2500.0);
  CHECK_EQ(it.large, std::numeric_limits<std::int64_t>::max());
  CHECK_EQ(static_cast<int>(it.small), 255);
  CHECK(it.in == unit::imperial);
  CHECK_EQ(it.places.size(), 2u);
  CHECK_EQ(it.places[0].days, 3);
  CHECK_EQ(it.places[1].days, std::nullopt);
  CHECK(it.flags[0] && !it.flags[1]);
  CHECK_EQ(it.counts.at("b"), -2);
  CHECK_EQ(it.raw.text, R"([1, {"x":null}])");
  // What is written is what was read.
  const auto written = tolmach::to_json(it);
  CHECK_EQ(written, R"({"flag":true,"number":-2500,"large":9223372036854775807,"small":255,)"
                    R"("in":"imperial","places":[{"city":"Oslo","days":3},{"city":"",)"
                    R"("days":null}],"flags":[true,false],"counts":{"a":1,"b":-2},)"
                    R"("raw":[1, {"x":null}]})");
  CHECK_EQ(tolmach::to_json(VALUE(tolmach::parse<everything>(written))), written);
}

TEST(schema_says_members_and_descriptions) {
  CHECK_EQ(tolmach::schema_of<place>(),
           R"({"type":"object","description":"Where","properties":{"city":{"type":"string",)"
           R"("description":"The city's \"name\""},"days":{"anyOf":[{"type":"integer"},)"
           R"({"type":"null"}]}},"required":["city","days"],"additionalProperties":false})");
  const auto all = tolmach::schema_of<everything>();
  const auto has = [&all](std::string_view text) {
    if (all.find(text) == std::string::npos) CHECK_EQ(all, text);
  };
  has(R"("flag":{"type":"boolean"})");
  has(R"("number":{"type":"number","description":"Any"})");
  has(R"("in":{"type":"string","enum":["metric","imperial"]})");
  has(R"("places":{"type":"array","items":{"type":"object")");
  has(R"("description":"Where to"})");
  has(R"("counts":{"type":"object","additionalProperties":{"type":"integer"}})");
}

TEST(type_within_itself_has_a_schema) {
  CHECK_EQ(tolmach::schema_of<tree>(),
           R"({"type":"object","properties":{"value":{"type":"integer"},"children":{"type":)"
           R"("array","items":{"$ref":"#"}}},"required":["value","children"],)"
           R"("additionalProperties":false})");
  const auto plan_schema = tolmach::schema_of<plan>();
  CHECK(plan_schema.find(R"("then":{"type":"array","items":{"$ref":"#/$defs/0"}})") !=
        std::string::npos);
  CHECK(plan_schema.find(R"(,"$defs":{"0":{"type":"object","properties":{"what":)") !=
        std::string::npos);
  // It is valid JSON, and any JSON can be read.
  CHECK_EQ(VALUE(tolmach::parse<tolmach::json_text>(plan_schema)).text, plan_schema);
  const auto read = VALUE(tolmach::parse<tree>(R"({"value":1,"children":[{"value":2,"children":[]}]})"));
  CHECK_EQ(read.children.at(0).value, 2);
}

TEST(what_does_not_fit_is_named) {
  using placed = std::vector<place>;
  CHECK_EQ(failure<place>(R"({"days":3})"), "city: it is missing at byte 10");
  CHECK_EQ(failure<place>(R"({"city":3})"), "city: expected a string at byte 8");
  CHECK_EQ(failure<placed>(R"([{"city":"a"},{"city":"b","days":"x"}])"),
           "[1].days: expected a whole number at byte 33");
  CHECK_EQ(failure<everything>(R"({"places":[{"city":null}]})"),
           "places[0].city: expected a string at byte 19");
  CHECK_EQ(failure<unit>(R"("feet")"), "\"feet\" is not among the values at byte 6");
  CHECK_EQ(failure<std::uint8_t>("256"), "the number is out of range at byte 3");
  CHECK_EQ(failure<std::uint8_t>("-1"), "the number is out of range at byte 2");
  CHECK_EQ(failure<int>("1.5"), "expected a whole number at byte 3");
  CHECK_EQ(failure<double>("1e999"), "the number is out of range at byte 5");
  CHECK_EQ(failure<bool>("\"true\""), "expected true or false at byte 0");
  CHECK_EQ(failure<celsius>("\"mild\""), "that is no temperature at byte 6");
}

TEST(whole_numbers_may_be_written_as_others) {
  CHECK_EQ(VALUE(tolmach::parse<int>("3.0")), 3);
  CHECK_EQ(VALUE(tolmach::parse<int>("3e2")), 300);
  CHECK_EQ(VALUE(tolmach::parse<int>(" -0 ")), 0);
  CHECK_EQ(VALUE(tolmach::parse<double>("3")), 3.0);
  CHECK_EQ(VALUE(tolmach::parse<double>("1e-999")), 0.0);
}

TEST(invalid_json_is_refused_wherever_it_is_cut) {
  constexpr std::string_view json =
      R"({"flag":true,"number":1.5,"large":2,"small":3,"in":"metric","places":[{"city":"\u00e9"}],)"
      R"("flags":[],"counts":{"a":1},"raw":{"x":[null,false]},"unknown":[{"a":"\n"},-0.5e-3]})";
  CHECK(tolmach::parse<everything>(json).has_value());
  for (std::size_t length = 0; length < json.size(); ++length) {
    CHECK(!tolmach::parse<everything>(json.substr(0, length)));
  }
  for (const std::string_view wrong :
       {"", " ", "{", "[1,]", "[1 2]", "{\"a\":1,}", "{\"a\" 1}", "{1:1}", "01", "1.", ".5", "+1",
        "1e", "-", "nul", "truefalse", "[] []", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"a",
        "\"\n\"", "'a'", "[1]]"}) {
    if (tolmach::parse<tolmach::json_text>(wrong)) CHECK_EQ(wrong, "refused");
  }
  // Levels without end are refused, and do not use up the stack.
  const auto deep = failure<tolmach::json_text>(std::string(100000, '['));
  CHECK_EQ(deep.substr(deep.find(": ")), ": too many levels at byte 128");
  CHECK(tolmach::parse<tolmach::json_text>(std::string(127, '[') + std::string(127, ']')).has_value());
}

TEST(strings_are_read_with_all_their_escapes) {
  using namespace std::string_view_literals;
  const auto read = [](std::string_view json) { return VALUE(tolmach::parse<std::string>(json)); };
  CHECK_EQ(read(R"("\"\\\/\b\f\n\r\t")"), "\"\\/\b\f\n\r\t");
  CHECK_EQ(read(R"("\u0041\u00e9\u20ac\ud83d\ude00")"), "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  CHECK_EQ(read(R"("a\u0000b")"), "a\0b"sv);
  // Half of a pair is no character.
  CHECK_EQ(read(R"("\ud83d!\ude00\ud83d\u0041")"), "\xef\xbf\xbd!\xef\xbf\xbd\xef\xbf\xbd" "A");
  CHECK_EQ(tolmach::to_json("\"\\\n\0\x1f é"sv), R"("\"\\\u000a\u0000\u001f é")");
}

TEST(other_json_library_takes_part) {
  using temperatures = std::map<std::string, celsius>;
  CHECK_EQ(VALUE(tolmach::parse<temperatures>(R"({"Oslo":"hot"})")).at("Oslo").degrees, 40.0);
  CHECK_EQ(tolmach::to_json(temperatures{{"Oslo", {3}}}), R"({"Oslo":"cold"})");
  CHECK_EQ(tolmach::schema_of<std::optional<celsius>>(),
           R"({"anyOf":[{"type":"string"},{"type":"null"}]})");
}

TEST(numbers_that_json_has_not_are_null) {
  CHECK_EQ(tolmach::to_json(std::numeric_limits<double>::infinity()), "null");
  CHECK_EQ(tolmach::to_json(0.1), "0.1");
}

TEST(schema_is_built_member_by_member) {
  const auto schema =
      tolmach::object_schema()
          .string("city", "The \"name\"")
          .integer("days").optional()
          .number("height").boolean("dry")
          .choice("unit", {"metric", "imperial"}, "Which").optional()
          .list("tags", R"({"type":"string"})")
          .object("inner", tolmach::object_schema().string("a"))
          .list("inners", tolmach::object_schema())
          .value<place>("place")
          .add("any", "{}", "Anything")
          .json();
  CHECK_EQ(schema.substr(0, schema.find(",\"place\"")),
           R"({"type":"object","properties":{"city":{"type":"string","description":"The \"name\""},)"
           R"("days":{"type":"integer"},"height":{"type":"number"},"dry":{"type":"boolean"},)"
           R"("unit":{"type":"string","enum":["metric","imperial"],"description":"Which"},)"
           R"("tags":{"type":"array","items":{"type":"string"}},)"
           R"("inner":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],)"
           R"("additionalProperties":false},"inners":{"type":"array","items":{"type":"object",)"
           R"("properties":{},"required":[],"additionalProperties":false}})");
  CHECK(schema.find(R"("any":{"description":"Anything"})") != std::string::npos);
  CHECK(schema.find(R"("required":["city","height","dry","tags","inner","inners","place","any"])") !=
        std::string::npos);
  CHECK_EQ(VALUE(tolmach::parse<tolmach::json_text>(schema)).text, schema);
}

TEST(arguments_are_read_by_name) {
  const tolmach::arguments given(R"({"city":"Oslo","days":3,"nothing":null})");
  CHECK_EQ(VALUE(given.get<std::string>("city")), "Oslo");
  CHECK_EQ(VALUE(given.get<std::optional<int>>("days")), 3);
  CHECK_EQ(VALUE(given.get<std::optional<int>>("nothing")), std::nullopt);
  CHECK_EQ(VALUE(given.get<std::optional<int>>("missing")), std::nullopt);
  CHECK_EQ(given.get<int>("missing").error().message(), "missing: it is missing at byte 39");
  CHECK_EQ(given.get<int>("city").error().message(), "city: expected a whole number at byte 8");
  CHECK_EQ(tolmach::arguments("[]").get<int>("city").error().code(), tolmach::status::protocol);
}
