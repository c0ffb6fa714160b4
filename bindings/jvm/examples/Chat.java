import io.github.tolmach.Chunk;
import io.github.tolmach.Client;
import io.github.tolmach.Request;
import io.github.tolmach.Session;
import io.github.tolmach.TolmachException;

/** Asks a model and prints its answer as it arrives: java Chat.java PROVIDER PROMPT [KEY=VALUE ...] */
public final class Chat {
    public static void main(String[] args) {
        if (args.length < 2) {
            System.err.println("usage: java Chat.java PROVIDER PROMPT [KEY=VALUE ...]");
            System.exit(2);
        }
        Client.Builder settings = Client.builder(args[0]);
        for (int i = 2; i < args.length; i++) {
            String[] pair = args[i].split("=", 2);
            settings.set(pair[0], pair.length == 2 ? pair[1] : null);
        }
        try (Client client = settings.build();
                Request request = new Request().message("user", args[1]);
                Session session = client.open(request)) {
            for (Chunk chunk : session) {
                if (chunk.getKind() == Chunk.Kind.TEXT) {
                    System.out.print(chunk.getText());
                    System.out.flush();
                }
            }
            System.out.println();
        } catch (TolmachException e) {
            System.err.println("chat: " + e.getMessage());
            System.exit(1);
        }
    }
}
