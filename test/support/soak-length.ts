/** Whether it is `npm run soak` that runs, with the long form of what CI tries in a shorter one. */
export const isLong = process.env.SOAK === 'long'
