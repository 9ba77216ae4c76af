import type { Browser } from 'playwright-core'

/** Squares of 20 pixels of a picture of 1280 × 720: letters, colours of avatars and a line more or less are lost in them. */
const COLUMNS = 64
const ROWS = 36
/** Of 255, in any of red, green and blue. */
const SAME_WITHIN = 24

/** How much of two PNGs differs at a glance, from 0 to 1: all of it, where they are not of one size. */
export async function shareThatDiffers(browser: Browser, one: Buffer, other: Buffer): Promise<number> {
  const page = await browser.newPage()
  try {
    const urls = [one, other].map((png) => `data:image/png;base64,${png.toString('base64')}`)
    // A text: it runs in the page, whose types are not those of Node.
    return await page.evaluate<number>(`(async () => {
      const images = ${JSON.stringify(urls)}.map((src) => Object.assign(new Image(), { src }))
      await Promise.all(images.map((image) => image.decode()))
      const [one, other] = images
      if (one.width !== other.width || one.height !== other.height) return 1
      const [a, b] = images.map((image) => {
        const context = new OffscreenCanvas(${COLUMNS}, ${ROWS}).getContext('2d')
        context.imageSmoothingQuality = 'high'
        context.drawImage(image, 0, 0, ${COLUMNS}, ${ROWS})
        return context.getImageData(0, 0, ${COLUMNS}, ${ROWS}).data
      })
      let differing = 0
      for (let at = 0; at < a.length; at += 4) {
        if ([0, 1, 2].some((channel) => Math.abs(a[at + channel] - b[at + channel]) > ${SAME_WITHIN})) differing++
      }
      return differing / (${COLUMNS} * ${ROWS})
    })()`)
  } finally {
    await page.close()
  }
}
