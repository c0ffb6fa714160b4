import io.github.tolmach.Client;
import io.github.tolmach.Request;
import io.github.tolmach.TolmachException;

/** Asks for an answer that is a record: java Structured.java PROVIDER [KEY=VALUE ...] */
public final class Structured {
    record Report(String city, double celsius) {}

    public static void main(String[] args) throws InterruptedException {
        if (args.length < 1) {
            System.err.println("usage: java Structured.java PROVIDER [KEY=VALUE ...]");
            System.exit(2);
        }
        Client.Builder settings = Client.builder(args[0]);
        for (int i = 1; i < args.length; i++) {
            String[] pair = args[i].split("=", 2);
            settings.set(pair[0], pair.length == 2 ? pair[1] : null);
        }
        try (Client client = settings.build();
                Request request = new Request().message("user", "It is three degrees in Oslo.")) {
            Report report = client.askFor(Report.class, request);
            System.out.println(report.city() + ": " + report.celsius() + " °C");
        } catch (TolmachException e) {
            System.err.println("structured: " + e.getMessage());
            System.exit(1);
        }
    }
}
