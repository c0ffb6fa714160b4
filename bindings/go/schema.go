package tolmach

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Schema gives the JSON schema of T, a struct: its fields by their json tags, with the tags
// description, and enum for strings and numbers, with commas between. Fields are required, except
// for those with omitempty or omitzero; pointers may be null; other fields are not allowed.
//
//	type Place struct {
//		City string `json:"city" description:"in English"`
//		Unit string `json:"unit,omitempty" enum:"celsius,fahrenheit"`
//	}
//
// [NewTool] and [AskFor] use it. It fails for what JSON does not have, such as channels.
func Schema[T any]() (json.RawMessage, error) {
	schema, err := schemaOf(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	return schema.json(), nil
}

// A shape is the schema of one type: it can be written as JSON, and can check a value.
type shape struct {
	// kind is the type of JSON; empty for any value.
	kind string
	// limits are further members of the schema, as JSON, each behind a comma.
	limits string
	// nullable tells whether null is right as well.
	nullable bool
	// choices are the values that are right, as JSON; nil for all.
	choices []string
	// fields of an object; values is the shape of its other fields, nil where there are none.
	fields []field
	values *shape
	// items is the shape of an array's items; length is how many there are, 0 for any number.
	items  *shape
	length int
	// target is what a reference stands for: a shape with a path.
	target *shape
	path   string
}

type field struct {
	name, description string
	required          bool
	shape             shape
}

// A schema is the shape of a struct, with those of the types that are within themselves.
type schema struct {
	root *shape
	defs []*shape
	// strict tells whether all fields are required and nothing is open, as strict modes want it.
	strict bool
}

const defsPath = "#/$defs/"

func schemaOf(given reflect.Type) (schema, error) {
	if given.Kind() != reflect.Struct {
		return schema{}, misuse(fmt.Sprintf("%v is not a struct", given))
	}
	maker := maker{strict: true, known: map[reflect.Type]*shape{}}
	root, err := maker.object(given, "#")
	if err != nil {
		return schema{}, misuse(err.Error())
	}
	return schema{root, maker.defs, maker.strict}, nil
}

// A maker makes the shapes of one schema.
type maker struct {
	strict bool
	// known are the structs that are being made, and those that references stand for.
	known map[reflect.Type]*shape
	defs  []*shape
}

var (
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	timeType        = reflect.TypeFor[time.Time]()
	jsonNumberType  = reflect.TypeFor[json.Number]()
)

// shape gives the shape of a type.
func (m *maker) shape(given reflect.Type) (shape, error) {
	switch {
	case given == timeType:
		return shape{kind: "string", limits: `,"format":"date-time"`}, nil
	case given == jsonNumberType:
		return shape{kind: "number"}, nil
	case given.Kind() == reflect.Pointer:
		made, err := m.shape(given.Elem())
		made.nullable = true
		return made, err
	case reflect.PointerTo(given).Implements(jsonUnmarshaler):
		m.strict = false
		return shape{}, nil
	case reflect.PointerTo(given).Implements(textUnmarshaler):
		return shape{kind: "string"}, nil
	}
	switch given.Kind() {
	case reflect.Bool:
		return shape{kind: "boolean"}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return shape{kind: "integer"}, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return shape{kind: "integer", limits: `,"minimum":0`}, nil
	case reflect.Float32, reflect.Float64:
		return shape{kind: "number"}, nil
	case reflect.String:
		return shape{kind: "string"}, nil
	case reflect.Interface:
		m.strict = false
		return shape{}, nil
	case reflect.Slice:
		if given.Elem().Kind() == reflect.Uint8 {
			return shape{kind: "string", limits: `,"contentEncoding":"base64"`}, nil
		}
		items, err := m.shape(given.Elem())
		return shape{kind: "array", items: &items}, err
	case reflect.Array:
		items, err := m.shape(given.Elem())
		limits := fmt.Sprintf(`,"minItems":%d,"maxItems":%[1]d`, given.Len())
		return shape{kind: "array", items: &items, length: given.Len(), limits: limits}, err
	case reflect.Map:
		if given.Key().Kind() == reflect.String {
			m.strict = false
			values, err := m.shape(given.Elem())
			return shape{kind: "object", values: &values}, err
		}
	case reflect.Struct:
		return m.inner(given)
	}
	return shape{}, fmt.Errorf("%v has no JSON schema", given)
}

// inner gives the shape of a struct that is part of another one: a reference where it is within
// itself.
func (m *maker) inner(given reflect.Type) (shape, error) {
	made, ok := m.known[given]
	if !ok {
		var err error
		if made, err = m.object(given, ""); err != nil || made.path == "" {
			return *made, err
		}
	}
	if made.path == "" {
		m.defs = append(m.defs, made)
		made.path = defsPath + "type" + strconv.Itoa(len(m.defs))
	}
	return shape{target: made}, nil
}

func (m *maker) object(given reflect.Type, path string) (*shape, error) {
	made := &shape{kind: "object", path: path}
	m.known[given] = made
	var err error
	made.fields, err = m.fields(given)
	if made.path == "" {
		delete(m.known, given)
	}
	return made, err
}

// fields gives those that [json.Unmarshal] knows. Those of an embedded struct belong to the outer
// one, whose own fields go before them.
func (m *maker) fields(given reflect.Type) ([]field, error) {
	var own, embedded []field
	for i := range given.NumField() {
		member := given.Field(i)
		name, options, _ := strings.Cut(member.Tag.Get("json"), ",")
		inner := member.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case name == "-" && options == "":
		case member.Anonymous && name == "" && inner.Kind() == reflect.Struct:
			if m.known[inner] != nil {
				return nil, fmt.Errorf("%v is embedded in itself", inner)
			}
			made, err := m.object(inner, "")
			if err != nil {
				return nil, err
			}
			embedded = append(embedded, made.fields...)
		case member.IsExported():
			if name == "" {
				name = member.Name
			}
			made, err := m.field(name, member, strings.Split(options, ","))
			if err != nil {
				return nil, fmt.Errorf("%v.%s: %w", given, member.Name, err)
			}
			own = append(own, made)
		}
	}
	for _, made := range embedded {
		if !slices.ContainsFunc(own, func(known field) bool { return known.name == made.name }) {
			own = append(own, made)
		}
	}
	return own, nil
}

func (m *maker) field(name string, member reflect.StructField, options []string) (field, error) {
	made, err := m.shape(member.Type)
	if err != nil {
		return field{}, err
	}
	if slices.Contains(options, "string") && made.kind != "string" {
		made = shape{kind: "string", nullable: made.nullable}
	}
	required := !slices.Contains(options, "omitempty") && !slices.Contains(options, "omitzero")
	m.strict = m.strict && required
	if list, ok := member.Tag.Lookup("enum"); ok {
		limited := &made
		if made.items != nil {
			limited = made.items
		}
		var choices []string
		for _, choice := range strings.Split(list, ",") {
			if limited.kind == "string" {
				choice = quoted(choice)
			}
			if value, err := parse([]byte(choice)); err != nil || limited.check(value, name) != nil {
				return field{}, fmt.Errorf("%s of its enum does not fit its type", choice)
			}
			choices = append(choices, choice)
		}
		limited.choices = choices
	}
	return field{name, member.Tag.Get("description"), required, made}, nil
}

func quoted(text string) string {
	data, _ := json.Marshal(text) // which never fails for text
	return string(data)
}

// json is the schema as JSON Schema.
func (s schema) json() json.RawMessage {
	var to bytes.Buffer
	s.root.write(&to, "")
	if len(s.defs) > 0 {
		to.Truncate(to.Len() - 1)
		to.WriteString(`,"$defs":{`)
		for i, def := range s.defs {
			if i > 0 {
				to.WriteByte(',')
			}
			to.WriteString(quoted(strings.TrimPrefix(def.path, defsPath)) + ":")
			def.write(&to, "")
		}
		to.WriteString("}}")
	}
	return to.Bytes()
}

func (s *shape) write(to *bytes.Buffer, description string) {
	var members []string
	add := func(name, value string) { members = append(members, quoted(name)+":"+value) }
	switch {
	case s.target != nil:
		choices := `[{"$ref":` + quoted(s.target.path) + `}`
		if s.nullable {
			choices += `,{"type":"null"}`
		}
		add("anyOf", choices+"]")
	case s.kind != "" && s.nullable:
		add("type", `["`+s.kind+`","null"]`+s.limits)
	case s.kind != "":
		add("type", `"`+s.kind+`"`+s.limits)
	}
	if description != "" {
		add("description", quoted(description))
	}
	if s.choices != nil {
		choices := s.choices
		if s.nullable {
			choices = append(slices.Clone(choices), "null")
		}
		add("enum", "["+strings.Join(choices, ",")+"]")
	}
	if s.items != nil {
		var items bytes.Buffer
		s.items.write(&items, "")
		add("items", items.String())
	}
	if s.values != nil {
		var values bytes.Buffer
		s.values.write(&values, "")
		add("additionalProperties", values.String())
	} else if s.kind == "object" {
		var fields bytes.Buffer
		var required []string
		for i, field := range s.fields {
			if i > 0 {
				fields.WriteByte(',')
			}
			fields.WriteString(quoted(field.name) + ":")
			field.shape.write(&fields, field.description)
			if field.required {
				required = append(required, quoted(field.name))
			}
		}
		add("properties", "{"+fields.String()+"}")
		add("required", "["+strings.Join(required, ",")+"]")
		add("additionalProperties", "false")
	}
	to.WriteString("{" + strings.Join(members, ",") + "}")
}

// parse reads one JSON value, whose numbers stay as they are written.
func parse(data []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("there is more after the JSON value")
	}
	return value, nil
}

// decode reads JSON that fits the schema into what into points to.
func (s schema) decode(data []byte, into any) error {
	value, err := parse(data)
	if err != nil {
		return err
	}
	if err := s.root.check(value, ""); err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// check tells what is wrong with a value: with its part at path, in words for the model.
func (s *shape) check(value any, path string) error {
	if s.target != nil && !(s.nullable && value == nil) {
		return s.target.check(value, path)
	}
	if s.kind == "" || s.nullable && value == nil {
		return nil
	}
	if kind := kindOf(value); kind != s.kind && !(kind == "integer" && s.kind == "number") {
		if path == "" {
			path = "it"
		}
		return fmt.Errorf("%s is of type %s, not %s", path, kind, s.kind)
	}
	if s.choices != nil {
		data, _ := json.Marshal(value) // of what was JSON
		if !slices.Contains(s.choices, string(data)) {
			return fmt.Errorf("%s is %s, not one of %s", path, data, strings.Join(s.choices, ", "))
		}
	}
	switch value := value.(type) {
	case []any:
		if s.length > 0 && len(value) != s.length {
			return fmt.Errorf("%s has %d items, not %d", path, len(value), s.length)
		}
		for i, item := range value {
			if err := s.items.check(item, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	case map[string]any:
		return s.checkFields(value, path)
	}
	return nil
}

func (s *shape) checkFields(object map[string]any, path string) error {
	if path != "" {
		path += "."
	}
	known := 0
	for _, field := range s.fields {
		value, ok := object[field.name]
		switch {
		case ok:
			known++
			// What is not required may also be given as nothing.
			if value == nil && !field.required {
				continue
			}
			if err := field.shape.check(value, path+field.name); err != nil {
				return err
			}
		case field.required:
			return fmt.Errorf("%s%s is missing", path, field.name)
		}
	}
	if s.values == nil && known == len(object) {
		return nil
	}
	for name, value := range object {
		if s.values == nil && !slices.ContainsFunc(s.fields, func(known field) bool { return known.name == name }) {
			return fmt.Errorf("%s%s is not a field that there is", path, name)
		}
		if s.values != nil {
			if err := s.values.check(value, path+name); err != nil {
				return err
			}
		}
	}
	return nil
}

// kindOf is the type of a value of JSON.
func kindOf(value any) string {
	switch value := value.(type) {
	case bool:
		return "boolean"
	case string:
		return "string"
	case json.Number:
		if strings.ContainsAny(string(value), ".eE") {
			return "number"
		}
		return "integer"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "null"
}
