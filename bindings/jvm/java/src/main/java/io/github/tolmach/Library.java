package io.github.tolmach;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Locale;

/**
 * Finds the two native libraries: in the folder that the system property tolmach.library.path
 * names, else in the jar, else where System.loadLibrary looks.
 */
final class Library {
    private static final String CORE = System.mapLibraryName("tolmach");
    private static final String JNI = System.mapLibraryName("tolmach_jni");

    private Library() {}

    static void load() {
        String path = System.getProperty("tolmach.library.path");
        String resources = "/META-INF/native/" + platform() + "/";
        if (path != null) {
            loadFrom(Paths.get(path));
        } else if (Library.class.getResource(resources + JNI) != null) {
            unpack(resources);
        } else {
            System.loadLibrary("tolmach_jni");
        }
    }

    /** Such as linux-x86_64 or macos-aarch64. */
    static String platform() {
        String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String arch = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
        os = os.startsWith("windows") ? "windows" : os.startsWith("mac") ? "macos" : os;
        arch = arch.equals("amd64") ? "x86_64" : arch.equals("arm64") ? "aarch64" : arch;
        return os + "-" + arch;
    }

    /** The core first, where it lies beside: so the other finds it loaded. */
    private static void loadFrom(Path folder) {
        for (String name : new String[] {CORE, JNI}) {
            Path file = folder.resolve(name).toAbsolutePath();
            if (name.equals(JNI) || Files.exists(file)) System.load(file.toString());
        }
    }

    private static void unpack(String resources) {
        try {
            Path folder = Files.createTempDirectory("tolmach");
            try {
                for (String name : new String[] {CORE, JNI}) {
                    try (InputStream in = Library.class.getResourceAsStream(resources + name)) {
                        if (in != null) Files.copy(in, folder.resolve(name));
                    }
                }
                loadFrom(folder);
            } finally {
                for (String name : new String[] {CORE, JNI, ""}) remove(folder.resolve(name));
            }
        } catch (IOException e) {
            throw new UnsatisfiedLinkError("the libraries of the jar cannot be unpacked: " + e);
        }
    }

    /** At once; at the end of the program where the system keeps what is loaded. */
    private static void remove(Path file) {
        if (!file.toFile().delete()) file.toFile().deleteOnExit();
    }
}
