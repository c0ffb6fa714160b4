/** Tolmach for coroutines: answers as flows, and calls that suspend where Java's would wait. */
package io.github.tolmach.coroutines

import io.github.tolmach.Answer
import io.github.tolmach.Chunk
import io.github.tolmach.Client
import io.github.tolmach.Model
import io.github.tolmach.Request
import io.github.tolmach.Session
import io.github.tolmach.TolmachException
import io.github.tolmach.Tool
import java.util.concurrent.TimeoutException
import kotlin.coroutines.resume
import kotlin.time.Duration
import kotlin.time.toJavaDuration
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.emitAll
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.runInterruptible
import kotlinx.coroutines.suspendCancellableCoroutine

/**
 * The answer to [request] as a cold flow: each collection asks anew, with the request as it is
 * then. When the collector is done, fails or is cancelled, the connection is closed.
 *
 * Chunks are taken as they are collected, and no thread is held while there are none. The flow
 * fails with the [io.github.tolmach.TolmachException] that says why the answer did not come to
 * its end. To go on with the conversation, use [chunks] of a session.
 */
public fun Client.stream(request: Request): Flow<Chunk> = flow {
    open(request).use { session -> emitAll(session.chunks()) }
}

/**
 * The chunks of a session that are still to come, for one collector at a time. The session stays
 * open, so that [Request.reply] can append its answer:
 *
 *     client.open(request).use { session ->
 *         session.chunks().collect { print(it.text) }
 *         request.reply(session)
 *     }
 */
public fun Session.chunks(): Flow<Chunk> = flow {
    while (true) emit(receive() ?: break)
}

/**
 * Asks [request] and suspends until the whole answer is there. The request stays as it is. A
 * coroutine that is cancelled ends it at once.
 *
 * @throws TolmachException as [Client.ask] does
 */
public suspend fun Client.awaitAnswer(request: Request): Answer = open(request).use { it.awaitAnswer() }

/**
 * Asks for an answer that is a [T], a data class or a record, as [Client.askFor] does. A coroutine
 * that is cancelled ends it at once.
 */
public suspend inline fun <reified T : Any> Client.awaitFor(request: Request): T =
    runInterruptible(Dispatchers.IO) { askFor(T::class.java, request) }

/**
 * Goes on with the conversation until the model calls no more tools, as [Client.run] does. The
 * tools run on [Dispatchers.IO]; a coroutine that is cancelled interrupts them.
 */
public suspend fun Client.awaitRun(request: Request, tools: List<Tool>, maxRounds: Int): Answer =
    runInterruptible(Dispatchers.IO) { run(request, tools, maxRounds) }

/**
 * Suspends until the rest of the answer is there, and gives all of it, from its first chunk on.
 *
 * @throws TolmachException as [Session.answer] does
 */
public suspend fun Session.awaitAnswer(): Answer {
    try {
        while (receive() != null) continue
    } catch (_: TolmachException) {
        // answer() throws it again, with what has come.
    }
    return answer()
}

/**
 * Suspends until the next chunk is there; null at the end of the answer. Where several coroutines
 * receive from one session, each chunk goes to one of them, and the end to all.
 */
public suspend fun Session.receive(): Chunk? {
    while (true) {
        if (isReady) {
            try {
                return next(java.time.Duration.ZERO)
            } catch (_: TimeoutException) {
                // Another coroutine has taken it.
            }
        }
        suspendCancellableCoroutine { waiter ->
            val wake = Runnable { waiter.resume(Unit) }
            onReady(wake)
            waiter.invokeOnCancellation { removeOnReady(wake) }
        }
    }
}

/**
 * Asks for the models there are, within [timeout] and the deadlines of the configuration. Safe to
 * call on a main thread; a coroutine that is cancelled leaves at once.
 *
 * @throws io.github.tolmach.TolmachException as [Client.listModels] does
 */
public suspend fun Client.models(timeout: Duration = Duration.INFINITE): List<Model> =
    runInterruptible(Dispatchers.IO) {
        if (timeout == Duration.INFINITE) listModels() else listModels(timeout.toJavaDuration())
    }
