package io.github.tolmach;

/**
 * What the model asks the program to do. {@link Request#toolResult} answers it.
 *
 * @param id what the result has to name
 * @param name of the tool
 * @param arguments for it, as JSON
 */
public record ToolCall(String id, String name, String arguments) {}
