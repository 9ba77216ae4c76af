import { Presets, SingleBar } from 'cli-progress'

/**
 * A bar on standard error, not started yet. Where that is no terminal it shows nothing.
 *
 * @param doing what is being done: "Moving"
 * @param rest what stands behind the percentage, in the format of cli-progress
 */
export function progressBar(doing: string, rest: string): SingleBar {
  // A command that is interrupted may not come to turn the wrapping of lines on again.
  return new SingleBar(
    { format: `${doing} {bar} {percentage}% ${rest}`, linewrap: true, barsize: 20 },
    Presets.shades_classic
  )
}
