import io.github.tolmach.Answer;
import io.github.tolmach.Client;
import io.github.tolmach.Request;
import io.github.tolmach.TolmachException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Makes an image and writes it to a file: java Images.java PROVIDER PROMPT FILE [KEY=VALUE ...] */
public final class Images {
    public static void main(String[] args) throws InterruptedException, IOException {
        if (args.length < 3) {
            System.err.println("usage: java Images.java PROVIDER PROMPT FILE [KEY=VALUE ...]");
            System.exit(2);
        }
        Client.Builder settings = Client.builder(args[0]);
        for (int i = 3; i < args.length; i++) {
            String[] pair = args[i].split("=", 2);
            settings.set(pair[0], pair.length == 2 ? pair[1] : null);
        }
        try (Client client = settings.build(); Request request = new Request().message("user", args[1])) {
            Answer answer = client.ask(request);
            if (answer.images().isEmpty()) {
                System.err.println("images: no image: " + answer.text() + answer.refusal());
                System.exit(1);
            }
            Answer.Image image = answer.images().get(0);
            if (!image.url().isEmpty()) {
                System.out.println(image.url());
            } else {
                Files.write(Path.of(args[2]), image.bytes());
                System.out.println(image.mime() + ", " + image.bytes().length + " bytes");
            }
        } catch (TolmachException e) {
            System.err.println("images: " + e.getMessage());
            System.exit(1);
        }
    }
}
