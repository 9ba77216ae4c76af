/** In the place of the setup that starts a PostgreSQL: hands out the addresses of the one that the run has started. */
export default function setup(project) {
  for (const [name, value] of Object.entries(JSON.parse(process.env.MUTATION_DATABASE))) project.provide(name, value)
}
