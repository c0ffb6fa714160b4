import io.github.tolmach.Client;
import io.github.tolmach.Described;
import io.github.tolmach.Request;
import io.github.tolmach.TolmachException;
import io.github.tolmach.Tool;
import java.util.List;
import java.util.Map;

/** Lets a model call a function of the program: java Tools.java PROVIDER [KEY=VALUE ...] */
public final class Tools {
    record Place(@Described("the name of a city") String city) {}

    public static void main(String[] args) throws InterruptedException {
        if (args.length < 1) {
            System.err.println("usage: java Tools.java PROVIDER [KEY=VALUE ...]");
            System.exit(2);
        }
        Map<String, String> warmth = Map.of("Oslo", "3 °C", "Bergen", "5 °C");
        Tool weather = Tool.of("weather", "How warm it is in a city now", Place.class, place -> warmth.get(place.city()));
        Client.Builder settings = Client.builder(args[0]);
        for (int i = 1; i < args.length; i++) {
            String[] pair = args[i].split("=", 2);
            settings.set(pair[0], pair.length == 2 ? pair[1] : null);
        }
        try (Client client = settings.build();
                Request request = new Request().message("user", "How warm is it in Oslo and in Bergen?")) {
            System.out.println(client.run(request, List.of(weather), 5).text());
        } catch (TolmachException e) {
            System.err.println("tools: " + e.getMessage());
            System.exit(1);
        }
    }
}
