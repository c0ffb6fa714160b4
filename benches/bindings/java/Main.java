import io.github.tolmach.Chunk;
import io.github.tolmach.Client;
import io.github.tolmach.Request;
import io.github.tolmach.Session;
import java.lang.management.ManagementFactory;

/**
 * PROGRAM BASE_URL MODEL: reads an answer twice by the Java binding. Prints the CPU microseconds of
 * the second reading, and its chunks.
 */
public final class Main {
    private static long characters;

    public static void main(String[] args) {
        try (Client client = Client.builder("openai").set("base_url", args[0]).build()) {
            read(client, args[1]);
            long begin = cpu();
            long chunks = read(client, args[1]);
            System.out.println((cpu() - begin) + " " + chunks);
        }
        if (characters == 0) System.exit(1);
    }

    private static long read(Client client, String model) {
        long chunks = 0;
        try (Request request = new Request(model).message("user", "Hello");
                Session session = client.open(request)) {
            for (Chunk chunk : session) {
                chunks++;
                if (chunk.getKind() == Chunk.Kind.TEXT) characters += chunk.getText().length();
            }
        }
        return chunks;
    }

    /** What the process has used so far, its compiler's and collector's threads included. */
    private static long cpu() {
        var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        return system.getProcessCpuTime() / 1000;
    }
}
