package io.github.tolmach.coroutines

import io.github.tolmach.Chunk
import io.github.tolmach.Client
import io.github.tolmach.Described
import io.github.tolmach.Request
import io.github.tolmach.Schema
import io.github.tolmach.Session
import io.github.tolmach.TolmachException
import io.github.tolmach.Tool
import java.net.InetAddress
import java.net.ServerSocket
import java.util.UUID
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.Executors
import kotlin.time.Duration.Companion.days
import kotlin.time.Duration.Companion.milliseconds
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.filter
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.joinAll
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.parallel.Isolated

private fun variable(name: String) = checkNotNull(System.getenv(name)) { "$name is not set: run test.sh" }

private fun client(
    url: String = variable("TOLMACH_TEST_URL"),
    key: String = variable("TOLMACH_TEST_KEY"),
): Client =
    Client.builder("openai")
        .set("base_url", url)
        .set("api_key", key)
        .set("proxy", "direct")
        .set("max_retries", "0")
        .build()

private fun request(scene: String, message: String) = Request(scene).message("user", message)

private fun unique() = UUID.randomUUID().toString()

private fun Flow<Chunk>.texts(): Flow<String> = filter { it.kind == Chunk.Kind.TEXT }.map { it.text }

private suspend fun Client.play(scene: String, message: String) =
    request(scene, message).use { stream(it).texts().toList().joinToString("") }

data class Place(@field:Described("its name in English") val city: String)

private const val CROWD = 500

@Isolated("it counts the threads of the process")
class CrowdTest {
    @Test
    fun fiveHundredFlowsWaitOnTwoThreads() = runBlocking(Dispatchers.Default) {
        assertEquals("2", System.getProperty("kotlinx.coroutines.scheduler.core.pool.size"))
        val message = unique()
        val begun = List(CROWD) { CompletableDeferred<Unit>() }
        client().use { client ->
            client.play("words", "so that every thread there is has begun")
            val before = Thread.getAllStackTraces().size
            val answers = begun.map { first ->
                async {
                    request("gated", message).use { request ->
                        val texts = client.stream(request).texts().onEach { first.complete(Unit) }
                        texts.toList().joinToString("")
                    }
                }
            }
            begun.awaitAll()
            val added = Thread.getAllStackTraces().size - before
            assertEquals("opened", client.play("open", message))
            assertEquals(List(CROWD) { "first second" }, answers.awaitAll())
            assertTrue(added <= 2, "$added threads more")
        }
    }
}

class CoroutinesTest {
    @Test
    fun textIsCollectedBeforeTheAnswerIsWhole() = runBlocking {
        val message = unique()
        val seen = mutableListOf<String>()
        client().use { client ->
            request("gated", message).use { request ->
                client.stream(request).texts().collect {
                    seen += it
                    if (it == "first ") assertEquals("opened", client.play("open", message))
                }
            }
        }
        assertEquals(listOf("first ", "second"), seen)
    }

    @Test
    fun answerIsAwaitedWhole() = runBlocking {
        client().use { client ->
            request("words", "Hi").use { assertEquals("One two three.", client.awaitAnswer(it).text()) }
            val failure = runCatching { request("truncated", "Hi").use { client.awaitAnswer(it) } }.exceptionOrNull()
            assertEquals("first ", (failure as TolmachException.Truncated).answer.text())
        }
    }

    @Test
    fun cancelledAwaitClosesTheConnection() = runBlocking(Dispatchers.Default) {
        ServerSocket(0, 50, InetAddress.getLoopbackAddress()).use { server ->
            client("http://127.0.0.1:${server.localPort}/v1").use { client ->
                val job = launch { request("any", "Hi").use { client.awaitAnswer(it) } }
                withContext(Dispatchers.IO) {
                    server.accept().use { connection ->
                        job.cancelAndJoin()
                        connection.getInputStream().readAllBytes() // ends where the connection is closed
                    }
                }
            }
        }
    }

    @Test
    fun dataClassIsTheArgumentsOfATool() = runBlocking {
        val weather = Tool.of("weather", "The weather at a place", Place::class.java) { if (it.city == "Oslo") "3 °C" else "?" }
        assertTrue("its name in English" in Schema.of(Place::class.java))
        client().use { client ->
            request("weather", "How warm is it?").use { request ->
                assertEquals("It is 3 °C.", client.awaitRun(request, listOf(weather), 2).text())
            }
        }
    }

    @Test
    fun answerIsReadIntoADataClass() = runBlocking {
        client().use { client ->
            request("echo", "{\"city\":\"Oslo\"}").use { assertEquals(Place("Oslo"), client.awaitFor<Place>(it)) }
            val failure = runCatching { request("words", "Hi").use { client.awaitFor<Place>(it) } }.exceptionOrNull()
            assertEquals("One two three.", (failure as TolmachException.AnswerFormat).answer.text())
        }
    }

    @Test
    fun flowIsColdAndAsksAnewEachTime() = runBlocking {
        client().use { client ->
            request("words", "Hi").use { request ->
                val answer = client.stream(request).texts()
                request.set("model", "\"emoji\"")
                repeat(2) { assertEquals("Привет, 世界 👋 👩‍👩‍👧 ok", answer.toList().joinToString("")) }
            }
        }
    }

    @Test
    fun cancelledCollectorClosesTheConnection() = runBlocking(Dispatchers.Default) {
        val message = unique()
        val first = CompletableDeferred<Unit>()
        client().use { client ->
            val job = launch {
                request("held", message).use { request ->
                    client.stream(request).texts().collect { first.complete(Unit) }
                }
            }
            first.await()
            job.cancelAndJoin()
            assertTrue(job.isCancelled)
            assertEquals("closed", client.play("was-closed", message))
        }
    }

    @Test
    fun timeoutOfTheCollectorIsATimeoutOfCoroutines() = runBlocking {
        client().use { client ->
            assertNull(withTimeoutOrNull(50.milliseconds) { client.play("silent", unique()) })
        }
    }

    @Test
    fun collectorThatHasEnoughClosesTheConnection() = runBlocking {
        val message = unique()
        client().use { client ->
            val first = request("held", message).use { client.stream(it).texts().first() }
            assertEquals("first ", first)
            assertEquals("closed", client.play("was-closed", message))
        }
    }

    @Test
    fun collectorThatFailsClosesTheConnection() = runBlocking {
        val message = unique()
        client().use { client ->
            val failure = runCatching {
                request("held", message).use { request ->
                    client.stream(request).texts().collect { error("on purpose") }
                }
            }
            assertEquals("on purpose", failure.exceptionOrNull()?.message)
            assertEquals("closed", client.play("was-closed", message))
        }
    }

    @Test
    fun sessionThatIsCancelledOrClosedFailsItsFlow() = runBlocking(Dispatchers.Default) {
        client().use { client ->
            for (end in listOf(Session::cancel, Session::close)) {
                val session = request("held", unique()).use { client.open(it) }
                val first = CompletableDeferred<Unit>()
                val flow = async { runCatching { session.chunks().texts().collect { first.complete(Unit) } } }
                first.await()
                end(session)
                assertTrue(flow.await().exceptionOrNull() is TolmachException.Cancelled)
                session.close()
            }
        }
    }

    /** On one thread, so that each has run up to its wait when the next line does. */
    @Test
    fun cancelAndCloseEndTheWaitOfEachCoroutine() = runBlocking {
        client().use { client ->
            for (end in listOf(Session::cancel, Session::close)) {
                val session = request("held", unique()).use { client.open(it) }
                assertEquals("first ", session.chunks().texts().first())
                val waits = List(3) {
                    async(start = CoroutineStart.UNDISPATCHED) { runCatching { session.receive() } }
                }
                assertTrue(waits.all { it.isActive })
                end(session)
                for (failure in waits.awaitAll()) {
                    assertTrue(failure.exceptionOrNull() is TolmachException.Cancelled, "$failure")
                }
                session.close()
            }
        }
    }

    @Test
    fun coroutinesShareTheChunksOfASession() = runBlocking(Dispatchers.Default) {
        val message = unique()
        val seen = ConcurrentLinkedQueue<String>()
        client().use { client ->
            request("many", message).use { client.open(it) }.use { session ->
                List(4) { launch { session.chunks().texts().collect { seen += it } } }.joinAll()
            }
        }
        assertEquals((0 until 20_000).toList(), seen.map { it.trim().toInt() }.sorted())
    }

    @Test
    fun chunkWakesEachCoroutineThatWaits() = runBlocking {
        val message = unique()
        client().use { client ->
            request("gated", message).use { client.open(it) }.use { session ->
                assertEquals("first ", session.chunks().texts().first())
                val texts = List(3) {
                    async(start = CoroutineStart.UNDISPATCHED) { session.chunks().texts().toList() }
                }
                client.play("open", message)
                assertEquals(listOf("second"), texts.awaitAll().flatten())
            }
        }
    }

    @Test
    fun errorsAreThrownToTheCollector() = runBlocking {
        client().use { client ->
            val limited = assertThrows(TolmachException.RateLimited::class.java) {
                runBlocking { client.play("status-429", "Hi") }
            }
            assertEquals(7, limited.retryAfter?.seconds)
            val seen = mutableListOf<String>()
            val cut = runCatching {
                request("truncated", "Hi").use { request -> client.stream(request).texts().collect { seen += it } }
            }
            assertTrue(cut.exceptionOrNull() is TolmachException.Truncated)
            assertEquals(listOf("first "), seen)
        }
    }

    @Test
    fun piecesComeInOrderToASlowCollector() = runBlocking {
        client().use { client ->
            request("many", "Hi").use { request ->
                val numbers = client.stream(request).texts().map { it.trim().toInt() }.toList()
                assertEquals((0 until 20_000).toList(), numbers)
            }
        }
    }

    @Test
    fun conversationGoesOnWithTheSessionsReply() = runBlocking {
        val tools = """[{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]"""
        client().use { client ->
            request("weather", "How warm is it in Oslo?").set("tools", tools).use { request ->
                client.open(request).use { session ->
                    val pieces = session.chunks().filter { it.kind == Chunk.Kind.TOOL_CALL }.toList()
                    assertEquals("""{"city":"Oslo"}""", pieces.joinToString("") { it.text })
                    request.reply(session).toolResult(pieces.first().id, "3\u0000👋")
                }
                client.open(request).use { session ->
                    assertEquals("It is 3\u0000👋.", session.chunks().texts().toList().joinToString(""))
                    request.reply(session)
                }
                request.message("user", "And tomorrow?")
                assertEquals("After 4 messages.", client.stream(request).texts().toList().joinToString(""))
            }
        }
    }

    @Test
    fun modelsAreListedOffTheCallersThread() {
        val main = Executors.newSingleThreadExecutor().asCoroutineDispatcher()
        main.use {
            runBlocking(main) {
                client().use { client -> assertEquals(listOf("words", "emoji"), client.models().map { it.id }) }
            }
        }
    }

    @Test
    fun cancelledListingOfModelsLeavesAtOnceAndTheMainThreadStaysFree() {
        val main = Executors.newSingleThreadExecutor().asCoroutineDispatcher()
        ServerSocket(0, 50, InetAddress.getLoopbackAddress()).use { mute ->
            main.use {
                runBlocking(main) {
                    client("http://127.0.0.1:${mute.localPort}/v1").use { client ->
                        val models = async { client.models(1.days) }
                        withContext(Dispatchers.IO) { mute.accept() }.use {
                            models.cancelAndJoin()
                            assertTrue(runCatching { models.await() }.exceptionOrNull() is CancellationException)
                        }
                    }
                }
            }
        }
    }

    @Test
    fun realAnswerIsAFlow() = runBlocking {
        client(variable("TOLMACH_TEST_REAL_URL"), variable("TOLMACH_TEST_REAL_KEY")).use { client ->
            assertEquals(
                "Hello from a server that nobody here wrote: Привет, 世界 👋!",
                client.play("gpt-4o", "hello"),
            )
        }
    }

    @Test
    fun exampleRuns() {
        val settings = listOf(
            "model=words", "base_url=" + variable("TOLMACH_TEST_URL"), "api_key=" + variable("TOLMACH_TEST_KEY"),
            "proxy=direct",
        )
        assertEquals("One two three.\n", run("ChatKt", "openai", "Hi", *settings.toTypedArray()))
    }

    @Test
    fun codeOfTheReadmeRuns() {
        assertEquals("One two three.\nOslo: 3 °C, Bergen: 5 °C.\n", run("ReadmeKt"))
    }

    /** In a JVM of its own, as a user would run it. */
    private fun run(program: String, vararg arguments: String): String {
        val java = ProcessHandle.current().info().command().get()
        val running = ProcessBuilder(
            java, "-Xcheck:jni", "-Dtolmach.library.path=" + System.getProperty("tolmach.library.path"),
            "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8",
            "-cp", System.getProperty("java.class.path"), program, *arguments,
        ).redirectErrorStream(true).start()
        val said = running.inputStream.readBytes().decodeToString()
        assertEquals(0, running.waitFor(), said)
        return said
    }
}
