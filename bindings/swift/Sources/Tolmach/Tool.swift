internal import CTolmach
import Foundation

/// A function of the program that the model may call. `Client.run` calls it.
public struct Tool: Sendable {
  /// What the model calls it by: letters, digits, "_" and "-".
  public let name: String
  /// When and how to use it, for the model.
  public let description: String
  /// The schema of its arguments; nil for a tool without any.
  public let schema: Schema?
  /// Gives the result for a call's arguments, both as text or JSON.
  let call: @Sendable (ToolCall) async throws -> String

  /// Makes a tool of a function that takes a `Decodable` type, in which the arguments are given.
  /// The model is told of arguments that do not fit it, and of what the function throws.
  ///
  /// - Parameters:
  ///   - schema: of the arguments; nil derives it from their type.
  ///   - call: its result is given to the model as it is where it is a `String`, else as JSON.
  ///     Several calls may run at once.
  /// - Throws: `TolmachError` `.argument` where the type does not tell its schema.
  public init<Arguments: Decodable>(
    _ name: String, _ description: String, schema: Schema? = nil,
    _ call: @escaping @Sendable (Arguments) async throws -> some Encodable
  ) throws {
    self.name = name
    self.description = description
    self.schema = try schema ?? Schema(of: Arguments.self)
    self.call = { given in
      let arguments: Arguments
      do {
        arguments = try given.decode()
      } catch {
        throw TolmachError(.argument, "wrong arguments: \(JSON.words(error))")
      }
      let result = try await call(arguments)
      return try result as? String ?? JSON.encode(result)
    }
  }

  /// Makes a tool of a function that takes the arguments as JSON, which nobody has checked.
  public init(
    _ name: String, _ description: String, json schema: Schema?,
    _ call: @escaping @Sendable (_ arguments: String) async throws -> String
  ) {
    self.name = name
    self.description = description
    self.schema = schema
    self.call = { try await call($0.arguments) }
  }
}

/// An answer that arrived whole, but is not what was asked for.
public struct AnswerError: Error, Sendable {
  /// What is wrong with it. The set is open: later versions may add to it.
  public enum Kind: Hashable, Sendable {
    /// It is not of the type that was asked for, or calls a tool with half of its arguments.
    case format
    /// It still calls tools after the last round.
    case rounds
  }

  public let kind: Kind
  /// One line: what is wrong.
  public let message: String
  public let answer: Answer
}

extension AnswerError: LocalizedError, CustomStringConvertible {
  public var errorDescription: String? { message }
  public var description: String { "\(kind): \(message)" }
}

extension Client {
  /// Goes on with the conversation until the model calls no more tools, and returns its last
  /// answer: adds the tools to the request, asks, runs what the answer calls, all at once,
  /// appends the answer and the results, and asks again, up to `maxRounds` times in all. The
  /// model is told of an unknown tool, of arguments that do not fit, and of what a tool throws.
  ///
  /// The request holds the conversation afterwards, with the last answer. Where this throws, it
  /// holds every turn that is complete.
  ///
  /// - Throws: `AnswerError` `.rounds` where the last round called tools as well, whose results
  ///   are in the request; `TolmachError`; `CancellationError` where the task is cancelled.
  @discardableResult
  public func run(_ request: inout Request, tools: [Tool], maxRounds: Int = 10) async throws
    -> Answer
  {
    guard maxRounds > 0 else { throw TolmachError(.argument, "maxRounds below 1") }
    for tool in tools { try request.add(tool) }
    for _ in 1..<maxRounds {
      let (answer, isLast) = try await turn(&request, tools)
      if isLast { return answer }
    }
    let (answer, isLast) = try await turn(&request, tools)
    if isLast { return answer }
    throw AnswerError(
      kind: .rounds, message: "the model still calls tools after \(maxRounds) rounds",
      answer: answer)
  }

  /// Asks once, and appends the answer and the results of the tools that it calls. Where it
  /// throws, the request is as it was.
  private func turn(_ request: inout Request, _ tools: [Tool]) async throws -> (Answer, Bool) {
    let session = stream(request)
    let answer = try await session.answer()
    let calls = session.wholeToolCalls
    if calls.count < answer.toolCalls.count {
      throw AnswerError(
        kind: .format, message: "the arguments of a tool call are not whole", answer: answer)
    }
    let results = try await Self.results(of: calls, tools)
    var next = request
    try next.append(session)
    for (call, result) in zip(calls, results) { try next.append(resultOf: call.id, result) }
    request = next
    return (answer, calls.isEmpty)
  }

  /// Runs all calls at once, and returns their results in their order.
  private static func results(of calls: [ToolCall], _ tools: [Tool]) async throws -> [String] {
    let results = await withTaskGroup(of: (Int, String).self) { group in
      for (at, call) in calls.enumerated() {
        let tool = tools.last { $0.name == call.name }
        group.addTask { (at, await result(of: call, tool)) }
      }
      return await group.reduce(into: Array(repeating: "", count: calls.count)) { $0[$1.0] = $1.1 }
    }
    try Task.checkCancellation()
    return results
  }

  /// What the model is told of a call.
  private static func result(of call: ToolCall, _ tool: Tool?) async -> String {
    guard let tool else { return "error: there is no tool \(call.name)" }
    do {
      return try await tool.call(call)
    } catch {
      return "error: \(JSON.words(error))"
    }
  }

  /// Asks for an answer that is a `Value`: gives the provider its schema as "response_format",
  /// asks, and reads the answer. The request stays as it is.
  ///
  /// - Parameter schema: nil derives it from the type.
  /// - Throws: `AnswerError` `.format` where the answer is not a `Value`, such as a refusal;
  ///   `TolmachError` `.argument` where the type does not tell its schema; what `ask` throws.
  public func ask<Value: Decodable>(
    _ request: Request, for type: Value.Type, schema: Schema? = nil
  ) async throws -> (value: Value, answer: Answer) {
    let schema = try schema ?? Schema(of: type)
    var request = request
    try request.set(
      "response_format",
      json: #"{"type":"json_schema","json_schema":{"name":"answer","strict":\#(schema.isStrict),"#
        + #""schema":\#(schema.json)}}"#)
    let answer = try await ask(request)
    if let refusal = answer.refusal {
      throw AnswerError(
        kind: .format, message: "the model refused: \(refusal)", answer: answer)
    }
    do {
      return (try JSON.decode(type, from: answer.text), answer)
    } catch {
      var why = JSON.words(error)
      if let reason = answer.finishReason, reason != .stop {
        why += ", and it ended with \(reason.rawValue)"
      }
      throw AnswerError(
        kind: .format, message: "\(why): \(answer.text.prefix(200))", answer: answer)
    }
  }
}

extension Session {
  /// The tool calls that the reply has: those that arrived whole.
  var wholeToolCalls: [ToolCall] {
    read { session in
      (0..<tolmach_session_tool_call_count(session)).compactMap { at in
        tolmach_session_tool_call_get(session, at).map {
          ToolCall(
            choice: Int($0.pointee.choice), index: Int($0.pointee.index),
            id: String($0.pointee.id), name: String($0.pointee.name),
            arguments: String($0.pointee.arguments))
        }
      }
    } ?? []
  }
}

extension JSON {
  /// What is wrong, for the model and for people.
  static func words(_ error: any Error) -> String {
    func at(_ context: DecodingError.Context, _ key: (any CodingKey)? = nil) -> String {
      let path = (context.codingPath + (key.map { [$0] } ?? [])).reduce("") { path, key in
        if let index = key.intValue { return "\(path)[\(index)]" }
        return path.isEmpty ? key.stringValue : "\(path).\(key.stringValue)"
      }
      return path.isEmpty ? "it" : path
    }
    return switch error {
    case DecodingError.keyNotFound(let key, let context): "\(at(context, key)) is missing"
    case DecodingError.valueNotFound(_, let context): "\(at(context)) is null"
    case DecodingError.typeMismatch(let type, let context): "\(at(context)) is not of type \(type)"
    case DecodingError.dataCorrupted(let context): "\(at(context)): \(context.debugDescription)"
    case let error as any LocalizedError: error.errorDescription ?? "\(error)"
    default: "\(error)"
    }
  }
}
