/** What a {@link ChildProgram} is asked. */
export interface Call {
  id: number
  name: string
  argument: unknown
}

export interface Answer {
  id: number
  result?: unknown
  error?: string
}

// biome-ignore lint/suspicious/noExplicitAny: what comes over the channel is what the case has sent
type Functions = Record<string, (argument: any) => unknown>

/** Answers the calls of the process that started this one, and ends with it. May be called by several modules. */
export function answerCalls(functions: Functions): void {
  process.on('message', (call: Call) => {
    const answer = functions[call.name]
    if (answer) void reply(call, answer)
  })
}

async function reply({ id, argument }: Call, answer: Functions[string]): Promise<void> {
  try {
    send({ id, result: await answer(argument) })
  } catch (error) {
    send({ id, error: (error as Error).stack ?? String(error) })
  }
}

function send(answer: Answer): void {
  if (process.connected) process.send?.(answer)
}

process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
