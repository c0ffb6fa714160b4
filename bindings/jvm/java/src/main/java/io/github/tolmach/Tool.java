package io.github.tolmach;

import java.util.Objects;

/**
 * A function of the program that the model may call.
 *
 * @param name what the model calls it by: letters, digits, "_" and "-"
 * @param description tells the model when and how to use it; may be empty
 * @param schema the JSON schema of its arguments, an object; empty for a tool without any
 * @param call gives the result for the arguments, which are JSON
 */
public record Tool(String name, String description, String schema, Call<String> call) {
    /** What a tool does. */
    @FunctionalInterface
    public interface Call<A> {
        /**
         * Gives the result: the model reads a String as it is, any other as JSON. The message of
         * an exception is the result as well.
         */
        Object call(A arguments) throws Exception;
    }

    /** Checks that nothing is null. */
    public Tool {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(description, "description");
        Objects.requireNonNull(schema, "schema");
        Objects.requireNonNull(call, "call");
    }

    /**
     * Makes a tool whose arguments are a record, or a Kotlin data class: see {@link Schema}. They
     * are checked before {@code call} is called.
     *
     * @throws TolmachException.Argument for a type without a schema
     */
    public static <A> Tool of(String name, String description, Class<A> arguments, Call<A> call) {
        Schema schema = Schema.made(arguments);
        Objects.requireNonNull(call, "call");
        return new Tool(name, description, schema.json(), json -> call.call(arguments.cast(read(schema, json))));
    }

    private static Object read(Schema schema, String json) throws Json.Misfit {
        try {
            return schema.read(json);
        } catch (Json.Misfit e) {
            throw new Json.Misfit("wrong arguments: " + e.getMessage());
        }
    }

    /** What the model is told of a call. */
    String result(String arguments) throws InterruptedException {
        try {
            Object result = call.call(arguments);
            return result instanceof String text ? text : Json.write(result);
        } catch (InterruptedException e) {
            throw e;
        } catch (Exception e) {
            return "error: " + (e.getMessage() == null ? e.toString() : e.getMessage());
        }
    }
}
