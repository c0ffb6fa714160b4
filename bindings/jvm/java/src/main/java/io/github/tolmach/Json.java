package io.github.tolmach;

import java.lang.reflect.Array;
import java.lang.reflect.InvocationTargetException;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * JSON as values of Java: Map, List, String, BigDecimal, Boolean and null. It reads what models
 * write, and writes those values, records and data classes.
 */
final class Json {
    private static final int MAX_DEPTH = 200;

    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /**
     * Reads one value.
     *
     * @throws Misfit for what is not JSON
     */
    static Object parse(String text) throws Misfit {
        Json json = new Json(text);
        Object value = json.value(0);
        if (json.peek() != '\0') throw json.wrong();
        return value;
    }

    /** Says what is wrong with a value. */
    static final class Misfit extends Exception {
        private static final long serialVersionUID = 1;

        Misfit(String message) {
            super(message);
        }
    }

    private Misfit wrong() {
        return new Misfit(at >= text.length() ? "the JSON ends too early" : "bad JSON at character " + at);
    }

    /** The next character that is no white space; NUL at the end. */
    private char peek() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
        return at < text.length() ? text.charAt(at) : '\0';
    }

    private boolean skip(char wanted) {
        if (peek() != wanted) return false;
        at++;
        return true;
    }

    private void expect(char wanted) throws Misfit {
        if (!skip(wanted)) throw wrong();
    }

    private Object value(int depth) throws Misfit {
        if (depth > MAX_DEPTH) throw new Misfit("the JSON has too many levels");
        switch (peek()) {
            case '{':
                return object(depth);
            case '[':
                return array(depth);
            case '"':
                return string();
            case 't':
                return word("true", Boolean.TRUE);
            case 'f':
                return word("false", Boolean.FALSE);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private Object word(String word, Object value) throws Misfit {
        if (!text.startsWith(word, at)) throw wrong();
        at += word.length();
        return value;
    }

    private Map<String, Object> object(int depth) throws Misfit {
        Map<String, Object> object = new LinkedHashMap<>();
        expect('{');
        if (skip('}')) return object;
        do {
            if (peek() != '"') throw wrong();
            String name = string();
            expect(':');
            object.put(name, value(depth + 1));
        } while (skip(','));
        expect('}');
        return object;
    }

    private List<Object> array(int depth) throws Misfit {
        List<Object> array = new ArrayList<>();
        expect('[');
        if (skip(']')) return array;
        do {
            array.add(value(depth + 1));
        } while (skip(','));
        expect(']');
        return array;
    }

    private BigDecimal number() throws Misfit {
        int begin = at;
        while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) at++;
        String number = text.substring(begin, at);
        // An exponent of many digits would be a number of any size.
        if (!number.matches("-?(0|[1-9][0-9]{0,400})(\\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?")) {
            at = begin;
            throw wrong();
        }
        return new BigDecimal(number);
    }

    private String string() throws Misfit {
        StringBuilder string = new StringBuilder();
        at++;
        for (;;) {
            if (at >= text.length()) throw wrong();
            char c = text.charAt(at);
            if (c < ' ') throw wrong();
            at++;
            if (c == '"') return string.toString();
            string.append(c == '\\' ? escaped() : c);
        }
    }

    private char escaped() throws Misfit {
        if (at >= text.length()) throw wrong();
        char c = text.charAt(at);
        int plain = "\"\\/bfnrt".indexOf(c);
        if (plain >= 0) {
            at++;
            return "\"\\/\b\f\n\r\t".charAt(plain);
        }
        if (c != 'u' || !text.substring(at, Math.min(at + 5, text.length())).matches("u[0-9a-fA-F]{4}")) {
            throw wrong();
        }
        at += 5;
        return (char) Integer.parseInt(text.substring(at - 4, at), 16);
    }

    /**
     * Writes a value.
     *
     * @throws IllegalArgumentException for what JSON does not have
     */
    static String write(Object value) {
        StringBuilder to = new StringBuilder();
        write(value, to, 0);
        return to.toString();
    }

    private static void write(Object value, StringBuilder to, int depth) {
        if (depth > MAX_DEPTH) throw new IllegalArgumentException("the value has too many levels");
        if (value == null || value instanceof Boolean) {
            to.append(value);
        } else if (value instanceof Double number && !Double.isFinite(number)
                || value instanceof Float single && !Float.isFinite(single)) {
            throw new IllegalArgumentException(value + " is no number of JSON");
        } else if (value instanceof Number) {
            to.append(value);
        } else if (value instanceof CharSequence || value instanceof Character) {
            quote(value.toString(), to);
        } else if (value instanceof Enum<?> choice) {
            quote(choice.name(), to);
        } else if (value instanceof Optional<?> optional) {
            write(optional.orElse(null), to, depth);
        } else if (value instanceof Collection<?> items) {
            list(items, to, depth);
        } else if (value.getClass().isArray()) {
            List<Object> items = new ArrayList<>();
            for (int i = 0; i < Array.getLength(value); i++) items.add(Array.get(value, i));
            list(items, to, depth);
        } else if (value instanceof Map<?, ?> members) {
            object(members, to, depth);
        } else {
            object(members(value), to, depth);
        }
    }

    private static Map<String, Object> members(Object value) {
        Map<String, Object> members = new LinkedHashMap<>();
        try {
            for (Schema.Member member : Schema.members(value.getClass())) {
                members.put(member.name(), member.getter().invoke(value));
            }
        } catch (InvocationTargetException e) {
            throw new IllegalArgumentException(e.getCause());
        } catch (IllegalAccessException e) {
            throw new IllegalArgumentException(e);
        }
        return members;
    }

    private static void list(Collection<?> items, StringBuilder to, int depth) {
        String before = "[";
        for (Object item : items) {
            to.append(before);
            write(item, to, depth + 1);
            before = ",";
        }
        to.append(items.isEmpty() ? "[]" : "]");
    }

    private static void object(Map<?, ?> members, StringBuilder to, int depth) {
        String before = "{";
        for (Map.Entry<?, ?> member : members.entrySet()) {
            to.append(before);
            quote(String.valueOf(member.getKey()), to);
            to.append(':');
            write(member.getValue(), to, depth + 1);
            before = ",";
        }
        to.append(members.isEmpty() ? "{}" : "}");
    }

    private static void quote(String text, StringBuilder to) {
        to.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') to.append('\\').append(c);
            else if (c < ' ') to.append(String.format("\\u%04x", (int) c));
            else to.append(c);
        }
        to.append('"');
    }
}
