/** In the place of the setup that starts a PostgreSQL: provides what the run has started. */
export default function setup(project) {
  for (const [name, value] of Object.entries(JSON.parse(process.env.MUTATION_DATABASE))) project.provide(name, value)
}
