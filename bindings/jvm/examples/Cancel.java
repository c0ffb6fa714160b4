import io.github.tolmach.Chunk;
import io.github.tolmach.Client;
import io.github.tolmach.Request;
import io.github.tolmach.Session;
import io.github.tolmach.TolmachException;
import java.io.IOException;

/** Prints an answer until somebody presses Enter: java Cancel.java PROVIDER PROMPT [KEY=VALUE ...] */
public final class Cancel {
    public static void main(String[] args) {
        if (args.length < 2) {
            System.err.println("usage: java Cancel.java PROVIDER PROMPT [KEY=VALUE ...]");
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
            Thread enter = new Thread(() -> cancelAtEnter(session));
            enter.setDaemon(true);
            enter.start();
            for (Chunk chunk : session) {
                if (chunk.getKind() != Chunk.Kind.TEXT) continue;
                System.out.print(chunk.getText());
                System.out.flush();
            }
            System.out.println();
        } catch (TolmachException.Cancelled e) {
            System.out.println("stopped");
        } catch (TolmachException e) {
            System.err.println("cancel: " + e.getMessage());
            System.exit(1);
        }
    }

    private static void cancelAtEnter(Session session) {
        try {
            if (System.in.read() >= 0) session.cancel();
        } catch (IOException e) {
            // Nobody can press it.
        }
    }
}
