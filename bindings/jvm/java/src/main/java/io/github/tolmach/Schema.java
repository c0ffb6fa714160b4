package io.github.tolmach;

import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.WildcardType;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * The JSON schema of a record, or of a Kotlin data class.
 *
 * <p>Its members may be String, boolean, whole and other numbers, enums, List, Set, arrays, Map
 * with String keys, Object for any value, and records or data classes in turn, but not itself.
 * A member is required unless it is an Optional. {@link Described} describes one.
 */
public final class Schema {
    private final Class<?> type;
    private final Map<String, Object> json;
    /** Whether all members are required and nothing is open, as strict modes want it. */
    private boolean strict = true;

    private Schema(Class<?> type) {
        this.type = type;
        if (!isObject(type)) throw TolmachException.argument(type + " is neither a record nor a data class");
        json = write(type, new HashSet<>());
    }

    /**
     * The schema of a type, as JSON.
     *
     * @throws TolmachException.Argument for a type that JSON does not have
     */
    public static String of(Class<?> type) {
        return made(type).json();
    }

    static Schema made(Class<?> type) {
        return new Schema(Objects.requireNonNull(type, "type"));
    }

    String json() {
        return Json.write(json);
    }

    /** The value of the request's field response_format that asks for this type. */
    String responseFormat() {
        return Json.write(Map.of(
                "type", "json_schema",
                "json_schema", Map.of("name", "answer", "schema", json, "strict", strict)));
    }

    /** Reads a value of the type. */
    Object read(String text) throws Json.Misfit {
        return read(type, Json.parse(text), "");
    }

    /** One component of a record, or property of a data class. */
    record Member(String name, Type type, Method getter, String description) {
        boolean isRequired() {
            return raw(type) != Optional.class;
        }
    }

    /** Of a record or data class, its members in the order of its constructor. */
    static List<Member> members(Class<?> type) {
        if (!isObject(type)) throw new IllegalArgumentException(type + " cannot be written as JSON");
        List<Member> members = new ArrayList<>();
        for (Field field : fields(type)) {
            Described described = field.getAnnotation(Described.class);
            members.add(new Member(
                    field.getName(), field.getGenericType(), getter(type, field), described == null ? "" : described.value()));
        }
        return members;
    }

    private static List<Field> fields(Class<?> type) {
        return Arrays.stream(type.getDeclaredFields())
                .filter(field -> !Modifier.isStatic(field.getModifiers()) && !field.isSynthetic())
                .toList();
    }

    private static Method getter(Class<?> type, Field field) {
        String name = field.getName();
        String property = "get" + Character.toUpperCase(name.charAt(0)) + name.substring(1);
        for (String candidate : type.isRecord() ? List.of(name) : List.of(property, name)) {
            try {
                Method getter = type.getDeclaredMethod(candidate);
                if (getter.getReturnType() != field.getType()) continue;
                getter.setAccessible(true);
                return getter;
            } catch (NoSuchMethodException e) {
                // The next one.
            }
        }
        throw TolmachException.argument("there is no getter of " + type.getName() + "." + name);
    }

    private static boolean isObject(Class<?> type) {
        return type.isRecord() || isDataClass(type);
    }

    /** Kotlin's data classes have component1() and so on for what their constructor takes. */
    private static boolean isDataClass(Class<?> type) {
        if (type.isInterface() || type.isArray() || type.isPrimitive() || type.isEnum()) return false;
        List<Field> fields = fields(type);
        for (int i = 0; i < fields.size(); i++) {
            try {
                if (type.getDeclaredMethod("component" + (i + 1)).getReturnType() != fields.get(i).getType()) return false;
            } catch (NoSuchMethodException e) {
                return false;
            }
        }
        return !fields.isEmpty();
    }

    private static Class<?> raw(Type type) {
        if (type instanceof Class<?> plain) return plain;
        if (type instanceof ParameterizedType generic) return (Class<?>) generic.getRawType();
        if (type instanceof WildcardType wildcard) return raw(wildcard.getUpperBounds()[0]);
        throw unknown(type);
    }

    /** The type that a generic type has in angle brackets. */
    private static Type inner(Type type, int index) {
        if (type instanceof ParameterizedType generic) return generic.getActualTypeArguments()[index];
        throw unknown(type);
    }

    private static TolmachException unknown(Type type) {
        return TolmachException.argument("JSON has nothing for " + type.getTypeName());
    }

    private static String kind(Class<?> raw) {
        if (raw == String.class || raw.isEnum()) return "string";
        if (raw == boolean.class || raw == Boolean.class) return "boolean";
        if (WHOLE.contains(raw)) return "integer";
        if (FRACTIONS.contains(raw)) return "number";
        if (raw.isArray() || LISTS.contains(raw)) return "array";
        return "object";
    }

    private static final Set<Class<?>> WHOLE = Set.of(
            int.class, Integer.class, long.class, Long.class, short.class, Short.class, byte.class, Byte.class, BigInteger.class);
    private static final Set<Class<?>> FRACTIONS =
            Set.of(double.class, Double.class, float.class, Float.class, BigDecimal.class);
    private static final Set<Class<?>> LISTS = Set.of(List.class, Collection.class, Set.class);

    private static Type items(Type type) {
        Class<?> raw = raw(type);
        return raw.isArray() ? raw.getComponentType() : inner(type, 0);
    }

    private Map<String, Object> write(Type type, Set<Class<?>> outer) {
        Class<?> raw = raw(type);
        Map<String, Object> schema = new LinkedHashMap<>();
        if (raw == Object.class) {
            strict = false;
            return schema;
        }
        String kind = kind(raw);
        schema.put("type", kind);
        if (raw.isEnum()) {
            schema.put("enum", Arrays.stream(raw.getEnumConstants()).map(choice -> ((Enum<?>) choice).name()).toList());
        } else if (kind.equals("array")) {
            schema.put("items", write(items(type), outer));
        } else if (raw == Map.class && inner(type, 0) == String.class) {
            strict = false;
            schema.put("additionalProperties", write(inner(type, 1), outer));
        } else if (kind.equals("object")) {
            if (!isObject(raw)) throw unknown(type);
            if (!outer.add(raw)) throw TolmachException.argument(raw.getName() + " is within itself");
            object(raw, schema, outer);
            outer.remove(raw);
        }
        return schema;
    }

    private void object(Class<?> raw, Map<String, Object> schema, Set<Class<?>> outer) {
        Map<String, Object> properties = new LinkedHashMap<>();
        List<String> required = new ArrayList<>();
        for (Member member : members(raw)) {
            Map<String, Object> property =
                    write(member.isRequired() ? member.type() : inner(member.type(), 0), outer);
            if (!member.description().isEmpty()) property.put("description", member.description());
            properties.put(member.name(), property);
            if (member.isRequired()) required.add(member.name());
            else strict = false;
        }
        schema.put("properties", properties);
        schema.put("required", required);
        schema.put("additionalProperties", false);
    }

    private static Object read(Type type, Object value, String path) throws Json.Misfit {
        Class<?> raw = raw(type);
        if (raw == Object.class) return value;
        String kind = kind(raw);
        String given = kindOf(value);
        if (!given.equals(kind) && !(given.equals("integer") && kind.equals("number"))) {
            throw new Json.Misfit(named(path) + " is of type " + given + ", not " + kind);
        }
        if (raw.isEnum()) return choice(raw, (String) value, path);
        if (value instanceof BigDecimal number) return number(raw, number, path);
        if (value instanceof List<?> items) return list(type, items, path);
        if (value instanceof Map<?, ?> members) return raw == Map.class ? map(type, members, path) : object(raw, members, path);
        return value;
    }

    private static String named(String path) {
        return path.isEmpty() ? "it" : path;
    }

    private static String within(String path, Object name) {
        return path.isEmpty() ? name.toString() : path + "." + name;
    }

    private static String kindOf(Object value) {
        if (value == null) return "null";
        if (value instanceof String) return "string";
        if (value instanceof Boolean) return "boolean";
        if (value instanceof List<?>) return "array";
        if (value instanceof BigDecimal number) return number.stripTrailingZeros().scale() <= 0 ? "integer" : "number";
        return "object";
    }

    private static Object choice(Class<?> raw, String name, String path) throws Json.Misfit {
        List<String> names = new ArrayList<>();
        for (Object constant : raw.getEnumConstants()) {
            if (((Enum<?>) constant).name().equals(name)) return constant;
            names.add(((Enum<?>) constant).name());
        }
        throw new Json.Misfit(named(path) + " is " + Json.write(name) + ", not one of " + String.join(", ", names));
    }

    private static Object number(Class<?> raw, BigDecimal number, String path) throws Json.Misfit {
        try {
            if (raw == int.class || raw == Integer.class) return number.intValueExact();
            if (raw == long.class || raw == Long.class) return number.longValueExact();
            if (raw == short.class || raw == Short.class) return number.shortValueExact();
            if (raw == byte.class || raw == Byte.class) return number.byteValueExact();
            if (raw == BigInteger.class) return number.toBigIntegerExact();
        } catch (ArithmeticException e) {
            throw new Json.Misfit(named(path) + " is too large");
        }
        if (raw == double.class || raw == Double.class) return number.doubleValue();
        if (raw == float.class || raw == Float.class) return number.floatValue();
        return number;
    }

    private static Object list(Type type, List<?> given, String path) throws Json.Misfit {
        Type of = items(type);
        List<Object> items = new ArrayList<>();
        for (Object item : given) items.add(read(of, item, path + "[" + items.size() + "]"));
        if (raw(type) == Set.class) return new LinkedHashSet<>(items);
        if (!raw(type).isArray()) return items;
        Object array = Array.newInstance(raw(of), items.size());
        for (int i = 0; i < items.size(); i++) Array.set(array, i, items.get(i));
        return array;
    }

    private static Object map(Type type, Map<?, ?> given, String path) throws Json.Misfit {
        Map<Object, Object> map = new LinkedHashMap<>();
        for (Map.Entry<?, ?> member : given.entrySet()) {
            map.put(member.getKey(), read(inner(type, 1), member.getValue(), within(path, member.getKey())));
        }
        return map;
    }

    private static Object object(Class<?> raw, Map<?, ?> given, String path) throws Json.Misfit {
        List<Member> members = members(raw);
        List<Object> values = new ArrayList<>();
        for (Member member : members) {
            Object value = given.get(member.name());
            String place = within(path, member.name());
            if (!member.isRequired()) {
                values.add(value == null ? Optional.empty() : Optional.of(read(inner(member.type(), 0), value, place)));
            } else if (given.containsKey(member.name())) {
                values.add(read(member.type(), value, place));
            } else {
                throw new Json.Misfit(place + " is missing");
            }
        }
        for (Object name : given.keySet()) {
            if (members.stream().noneMatch(member -> member.name().equals(name))) {
                throw new Json.Misfit(within(path, name) + " is not a field that there is");
            }
        }
        return construct(raw, members, values, path);
    }

    /** A constructor that throws says that the value does not fit. */
    private static Object construct(Class<?> raw, List<Member> members, List<Object> values, String path) throws Json.Misfit {
        Class<?>[] types = members.stream().map(member -> raw(member.type())).toArray(Class<?>[]::new);
        try {
            Constructor<?> constructor = raw.getDeclaredConstructor(types);
            constructor.setAccessible(true);
            return constructor.newInstance(values.toArray());
        } catch (InvocationTargetException e) {
            throw new Json.Misfit(named(path) + " does not fit: " + e.getCause().getMessage());
        } catch (ReflectiveOperationException e) {
            throw TolmachException.argument(raw.getName() + " cannot be made: " + e);
        }
    }
}
