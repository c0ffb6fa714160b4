package tolmach_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/tolmach/tolmach/bindings/go"
)

type base struct {
	ID   int    `json:"id"`
	Note string `json:"note" description:"of the base"`
}

type everything struct {
	base
	City     string              `json:"city" description:"a \"city\""`
	Unit     string              `json:"unit,omitempty" enum:"celsius,fahrenheit"`
	Level    int                 `json:"level" enum:"1,2,3"`
	Days     []string            `json:"days" enum:"today,tomorrow"`
	Count    uint8               `json:"count"`
	Ratio    float64             `json:"ratio"`
	Quoted   int                 `json:"quoted,string"`
	Maybe    *bool               `json:"maybe"`
	Place    [2]float64          `json:"place"`
	When     time.Time           `json:"when"`
	Data     []byte              `json:"data"`
	Others   map[string]int      `json:"others"`
	Any      any                 `json:"any"`
	Raw      json.RawMessage     `json:"raw"`
	Number   json.Number         `json:"number"`
	Inner    struct{ Deep bool } `json:"inner"`
	Choice   *string             `json:"choice" enum:"a,b"`
	Hidden   func()              `json:"-"`
	private  chan int
	Note     string `json:"note"`
	Untagged string
}

type tree struct {
	Value    int     `json:"value"`
	Children []tree  `json:"children"`
	Parent   *branch `json:"parent"`
}

type branch struct {
	Next *branch `json:"next"`
	Leaf leaf    `json:"leaf"`
	Twin leaf    `json:"twin"`
}

type leaf struct {
	Name string `json:"name"`
}

func TestSchemaSaysWhatAStructHolds(t *testing.T) {
	t.Parallel()
	schema, err := tolmach.Schema[everything]()
	must(t, err)
	wanted := `{"type":"object","properties":{
		"city":{"type":"string","description":"a \"city\""},
		"unit":{"type":"string","enum":["celsius","fahrenheit"]},
		"level":{"type":"integer","enum":[1,2,3]},
		"days":{"type":"array","items":{"type":"string","enum":["today","tomorrow"]}},
		"count":{"type":"integer","minimum":0},
		"ratio":{"type":"number"},
		"quoted":{"type":"string"},
		"maybe":{"type":["boolean","null"]},
		"place":{"type":"array","minItems":2,"maxItems":2,"items":{"type":"number"}},
		"when":{"type":"string","format":"date-time"},
		"data":{"type":"string","contentEncoding":"base64"},
		"others":{"type":"object","additionalProperties":{"type":"integer"}},
		"any":{},
		"raw":{},
		"number":{"type":"number"},
		"inner":{"type":"object","properties":{"Deep":{"type":"boolean"}},"required":["Deep"],"additionalProperties":false},
		"choice":{"type":["string","null"],"enum":["a","b",null]},
		"note":{"type":"string"},
		"Untagged":{"type":"string"},
		"id":{"type":"integer"}},
		"required":["city","level","days","count","ratio","quoted","maybe","place","when","data","others","any","raw",
			"number","inner","choice","note","Untagged","id"],
		"additionalProperties":false}`
	var compact bytes.Buffer
	must(t, json.Compact(&compact, []byte(wanted)))
	want(t, string(schema), compact.String())
}

func TestSchemaOfATypeWithinItselfHasReferences(t *testing.T) {
	t.Parallel()
	schema, err := tolmach.Schema[tree]()
	must(t, err)
	leaf := `{"type":"object","properties":{"name":{"type":"string"}},"required":["name"],"additionalProperties":false}`
	want(t, string(schema), `{"type":"object","properties":{"value":{"type":"integer"},`+
		`"children":{"type":"array","items":{"anyOf":[{"$ref":"#"}]}},`+
		`"parent":{"anyOf":[{"$ref":"#/$defs/type1"},{"type":"null"}]}},`+
		`"required":["value","children","parent"],"additionalProperties":false,`+
		`"$defs":{"type1":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/$defs/type1"},{"type":"null"}]},`+
		`"leaf":`+leaf+`,"twin":`+leaf+`},"required":["next","leaf","twin"],"additionalProperties":false}}}`)
}

type embedsItself struct {
	*embedsItself
}

func TestTypeWithoutASchemaIsToldAsSuch(t *testing.T) {
	t.Parallel()
	schema := func(_ json.RawMessage, err error) error { return err }
	for text, err := range map[string]error{
		"not a struct":       schema(tolmach.Schema[int]()),
		"chan int has no":    schema(tolmach.Schema[struct{ C chan int }]()),
		"map[int]int has no": schema(tolmach.Schema[struct{ M []map[int]int }]()),
		"embedded in itself": schema(tolmach.Schema[embedsItself]()),
		"blue of its enum": schema(tolmach.Schema[struct {
			N int `enum:"1,blue"`
		}]()),
		"1 2 of its enum": schema(tolmach.Schema[struct {
			N int `enum:"1 2"`
		}]()),
	} {
		wantIs(t, err, tolmach.ErrArgument)
		wantHas(t, err.Error(), text)
	}
}

// The types of the arguments are checked, then the values reach the function.
func TestArgumentsAreCheckedByTheSchema(t *testing.T) {
	t.Parallel()
	right := object{"city": "Oslo", "level": 2, "days": []any{"today"}, "count": 3, "ratio": 1, "quoted": "5",
		"maybe": nil, "place": []any{1, 2.5}, "when": "2026-01-02T03:04:05Z", "data": "AQI=", "others": object{"x": 1},
		"any": nil, "raw": []any{true}, "number": 1.5, "inner": object{"Deep": true}, "choice": "a", "note": "n",
		"Untagged": "u", "id": 9}
	var got everything
	tool := tolmach.NewTool("take", "", func(_ context.Context, given everything) (string, error) {
		got = given
		return "taken", nil
	})
	call := func(change func(object)) (string, error) {
		data, err := json.Marshal(right)
		must(t, err)
		var changed object
		must(t, json.Unmarshal(data, &changed))
		change(changed)
		data, err = json.Marshal(changed)
		must(t, err)
		return tool.Call(t.Context(), data)
	}
	taken, err := call(func(object) {})
	must(t, err)
	want(t, taken, "taken")
	want(t, got.City+got.Note+got.Untagged, "Oslonu")
	want(t, got.Quoted, 5)
	want(t, got.Place, [2]float64{1, 2.5})
	want(t, got.ID, 9)
	want(t, got.Inner.Deep, true)
	want(t, *got.Choice, "a")

	set := func(name string, value any) func(object) {
		return func(changed object) { changed[name] = value }
	}
	for text, change := range map[string]func(object){
		"city is missing":                         func(changed object) { delete(changed, "city") },
		"city is of type integer, not string":     set("city", 1),
		"city is of type null, not string":        set("city", nil),
		"colour is not a field":                   set("colour", "blue"),
		`unit is "kelvin", not one of "celsius"`:  set("unit", "kelvin"),
		"level is 4, not one of 1, 2, 3":          set("level", 4),
		`days[1] is "never", not one of "today"`:  set("days", []any{"today", "never"}),
		"count is of type number, not integer":    set("count", 1.5),
		"place has 1 items, not 2":                set("place", []any{1}),
		"others.x is of type string, not integer": set("others", object{"x": "1"}),
		"inner.Deep is of type string":            set("inner", object{"Deep": "yes"}),
		"inner.Deep is missing":                   set("inner", object{}),
		"inner is of type array, not object":      set("inner", []any{}),
		`choice is "c", not one of "a", "b"`:      set("choice", "c"),
		"cannot unmarshal number -1":              set("count", -1),
		"cannot unmarshal number 256":             set("count", 256),
		"parsing time":                            set("when", "yesterday"),
	} {
		_, err := call(change)
		if err == nil {
			t.Errorf("nothing is wrong where it should be said that %s", text)
			continue
		}
		wantHas(t, err.Error(), "wrong arguments: ", text)
	}
	// What is not required may be null.
	_, err = call(set("unit", nil))
	must(t, err)
	for _, wrong := range []string{"", "{", "[]", "null", "{} {}", `{"city":"Oslo"}x`} {
		if _, err := tool.Call(t.Context(), []byte(wrong)); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
	inTree := tolmach.NewTool("tree", "", func(_ context.Context, given tree) (int, error) { return len(given.Children), nil })
	count, err := inTree.Call(t.Context(), []byte(`{"value":1,"children":[{"value":2,"children":[],"parent":null}],"parent":null}`))
	must(t, err)
	want(t, count, "1")
	_, err = inTree.Call(t.Context(), []byte(`{"value":1,"children":[{"value":"2","children":[],"parent":null}],"parent":null}`))
	if err == nil || !strings.Contains(err.Error(), "children[0].value is of type string") {
		t.Errorf("%v", err)
	}
}
