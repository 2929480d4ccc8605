// Chromium, as it is installed on this machine.

import { env } from 'node:process';

import { chromium } from 'playwright-core';

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Runs `main`, which may open as many separate browsers as it likes. */
export async function inChromium(main, options = {}) {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ARGUMENTS, ...options });
  try {
    await main(async (options) => {
      const context = await browser.newContext(options);
      const complaints = [];
      // A browser says on its console what our headers kept a page from doing.
      context.on('console', (message) => {
        if (message.type() === 'error') complaints.push(`${message.location().url}: ${message.text()}`);
      });
      context.on('weberror', (error) => complaints.push(error.error().stack));
      return { context, complaints };
    });
  } finally {
    await browser.close();
  }
}

/** Keeps what a page looks like, for somebody to look at. */
export async function picture(page, name) {
  await page.screenshot({ path: `${env.SCREENSHOTS}/${name}.png`, fullPage: true });
}
