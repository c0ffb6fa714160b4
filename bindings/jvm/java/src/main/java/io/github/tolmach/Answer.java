package io.github.tolmach;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * All chunks of a session put together, of the first choice where there are more. Texts are empty
 * where there is nothing.
 *
 * @param id of the answer, as the provider calls it
 * @param model that answered
 * @param requestId what the provider's support asks for
 * @param text of the answer
 * @param reasoning before it
 * @param refusal of the model
 * @param toolCalls in their order
 * @param images in their order
 * @param audio of the answer
 * @param sources in their order
 * @param logprobs how likely the tokens were, where the request asks for it with "logprobs": JSON
 *     as the provider put it, in the pieces that it came in
 * @param finishReason stop, length, tool_calls, content_filter, or another word of the provider's;
 *     empty when the answer has not finished
 * @param usage the last that was reported
 */
public record Answer(
        String id,
        String model,
        String requestId,
        String text,
        String reasoning,
        String refusal,
        List<ToolCall> toolCalls,
        List<Image> images,
        Audio audio,
        List<Source> sources,
        List<String> logprobs,
        String finishReason,
        Usage usage) {

    /**
     * An image that the model made.
     *
     * @param mime the media type of the bytes
     * @param bytes of the image; empty where there is a URL instead
     * @param url of the image; empty where there are bytes
     * @param prompt as the provider revised it
     */
    public record Image(String mime, byte[] bytes, String url, String prompt) {}

    /**
     * What the model said aloud.
     *
     * @param mime the media type of the bytes
     * @param bytes of the audio
     * @param transcript what is said in it
     */
    public record Audio(String mime, byte[] bytes, String transcript) {}

    /**
     * A page that the answer is based on.
     *
     * @param url of the page
     * @param title of the page
     */
    public record Source(String url, String title) {}

    /** An answer of which more is to come. */
    static final class Gathering {
        private final StringBuilder text = new StringBuilder();
        private final StringBuilder reasoning = new StringBuilder();
        private final StringBuilder refusal = new StringBuilder();
        private final Map<Integer, Call> calls = new LinkedHashMap<>();
        private final List<Image> images = new ArrayList<>();
        private final ByteArrayOutputStream sound = new ByteArrayOutputStream();
        private final StringBuilder transcript = new StringBuilder();
        private final List<Source> sources = new ArrayList<>();
        private final List<String> logprobs = new ArrayList<>();
        private String id = "";
        private String model = "";
        private String audioMime = "";
        private String finishReason = "";
        private Usage usage = Usage.UNKNOWN;

        void add(Chunk chunk) {
            if (chunk.getKind() == Chunk.Kind.USAGE) usage = chunk.getUsage();
            if (chunk.getChoice() != 0) return;
            switch (chunk.getKind()) {
                case START -> {
                    id = chunk.getText();
                    model = chunk.getName();
                }
                case TEXT -> text.append(chunk.getText());
                case REASONING -> reasoning.append(chunk.getText());
                case REFUSAL -> refusal.append(chunk.getText());
                case TOOL_CALL ->
                    calls.computeIfAbsent(chunk.getIndex(), index -> new Call()).add(chunk);
                case IMAGE ->
                    images.add(new Image(
                            chunk.getMime(), chunk.getBytes().clone(), chunk.getText(), chunk.getName()));
                case AUDIO -> {
                    if (!chunk.getMime().isEmpty()) audioMime = chunk.getMime();
                    sound.writeBytes(chunk.getBytes());
                    transcript.append(chunk.getText());
                }
                case SOURCE -> sources.add(new Source(chunk.getText(), chunk.getName()));
                case LOGPROBS -> logprobs.add(chunk.getText());
                case FINISH -> finishReason = chunk.getText();
                default -> {}
            }
        }

        /** The answer so far. */
        Answer whole(String requestId) {
            return new Answer(
                    id,
                    model,
                    requestId,
                    text.toString(),
                    reasoning.toString(),
                    refusal.toString(),
                    calls.values().stream().map(Call::whole).toList(),
                    List.copyOf(images),
                    new Audio(audioMime, sound.toByteArray(), transcript.toString()),
                    List.copyOf(sources),
                    List.copyOf(logprobs),
                    finishReason,
                    usage);
        }

        private static final class Call {
            private String id = "";
            private String name = "";
            private final StringBuilder arguments = new StringBuilder();

            void add(Chunk chunk) {
                if (!chunk.getId().isEmpty()) id = chunk.getId();
                if (!chunk.getName().isEmpty()) name = chunk.getName();
                arguments.append(chunk.getText());
            }

            ToolCall whole() {
                return new ToolCall(id, name, arguments.toString());
            }
        }
    }
}
