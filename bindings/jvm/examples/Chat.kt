// Asks a model and prints its answer as it arrives: chat PROVIDER PROMPT [KEY=VALUE ...]
import io.github.tolmach.Chunk
import io.github.tolmach.Client
import io.github.tolmach.Request
import io.github.tolmach.TolmachException
import io.github.tolmach.coroutines.stream
import kotlin.system.exitProcess
import kotlinx.coroutines.flow.filter

suspend fun main(args: Array<String>) {
    if (args.size < 2) {
        System.err.println("usage: chat PROVIDER PROMPT [KEY=VALUE ...]")
        exitProcess(2)
    }
    val settings = Client.builder(args[0])
    for (pair in args.drop(2)) settings.set(pair.substringBefore('='), pair.substringAfter('='))
    try {
        settings.build().use { client ->
            Request().message("user", args[1]).use { request ->
                client.stream(request)
                    .filter { it.kind == Chunk.Kind.TEXT }
                    .collect { print(it.text) }
            }
        }
        println()
    } catch (e: TolmachException) {
        System.err.println("chat: ${e.message}")
        exitProcess(1)
    }
}
