/** The curves a node keeps of itself, as charts take them. */

/** What a name stands for, in numbers over time; empty where the node does not tell it. */
export function curve(answer, name) {
  return answer.series[name] ?? new Array(length(answer)).fill(null);
}

/** The moments of all curves, in seconds since 1970. */
export function times(answer) {
  return Array.from({ length: length(answer) }, (_, at) => (answer.begin_ms + at * answer.step_ms) / 1000);
}

const length = (answer) => Object.values(answer.series)[0]?.length ?? 0;
