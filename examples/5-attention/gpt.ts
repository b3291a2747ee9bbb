/**
 * A GPT that learns to write, character by character (§6.5.3, §6.6), from a text or from sentences that are generated.
 *
 * A step is one program; what is held out tells how well it guesses the next character, in nats. It writes by a loop over a cache
 * of keys and values, which gives what it would without one, where every character is paid for by reading all before it again.
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { jit, nn, np, optim, random, type Tensor } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend } from '../shared/descend.ts';
import { allWindows, corpusOf, randomWindows, type Windows } from '../shared/text.ts';

const options = {
  ...cli.commonOptions('gpt'),
  data: cli.optionalFile('file of text; sentences are generated without it'),
  steps: cli.count(2400, 'steps', 120),
  batch: cli.count(16, 'windows a step', 8),
  length: cli.countIn(64, 'characters that it looks back at', [2, 128], 32),
  size: cli.count(128, 'features of a character', 32),
  layers: cli.count(4, 'layers', 2),
  rate: cli.positive(2e-3, 'learning rate at its peak', 5e-3),
};

export const example: cli.Example<typeof options> = {
  name: 'gpt',
  about: 'a transformer learns to write, character by character.',
  options,
  body: (given) => {
    const { data, seed, short, steps } = given;
    const [textKey, initKey, batchKey, writeKey] = random.split(random.key(seed), 4);
    return pipe(
      corpusOf(data, textKey!, 3000),
      TE.map(({ letters, seen, unseen }) => {
        const { batch, length, size, layers, rate } = given;
        const config: nn.GptConfig = { vocabulary: letters.size, length, size, layers, heads: 4 };
        const lossOf = (params: nn.GptParams, { x, y }: Windows): Tensor =>
          nn.crossEntropy(nn.gpt(params, config)(x), y);
        const judge = jit(lossOf);
        const judged = (params: nn.GptParams, most: number): number => {
          const losses = allWindows(unseen, 64, length, most).map((windows) => judge(params, windows).item());
          return losses.reduce((a, b) => a + b, 0) / losses.length;
        };
        const warmUp = Math.ceil(steps / 20);
        const optimizer = optim.chain(
          optim.clipByGlobalNorm(1),
          optim.adamw(optim.warmupCosineDecaySchedule(0, rate, warmUp, steps, { endValue: rate / 10 }), {
            b2: 0.99,
            weightDecay: 0.1,
          }),
        );
        const start = nn.gpt.init(initKey!, config);
        console.log(
          `${letters.size} characters, ${nn.parameterCount(start)} parameters; ${judged(start, 4).toFixed(3)} nats before learning`,
        );
        const { params, losses } = descend(
          lossOf,
          start,
          optimizer,
          randomWindows(batchKey!, seen, steps, batch, length),
          cli.everySteps('loss', Math.ceil(steps / 12)),
        );
        const nats = judged(params, short ? 4 : 1000);
        console.log(`what was held out: ${nats.toFixed(4)} nats a character`);

        // The likeliest characters, by the cache and by reading all again.
        const prompt = np.expandDims(np.array(unseen.slice(0, 8)), 0) as Tensor<'int32'>;
        const count = length - 8;
        const cached = nn.gpt.generate(params, config)(prompt, { steps: count, temperature: 0 });
        const next = jit((p: nn.GptParams, text: Tensor<'int32'>, at: Tensor<'int32'>) =>
          np.argmax(np.index(nn.gpt(p, config)(text), 0, at) as Tensor),
        );
        let plain = np.concatenate([prompt, np.zeros([1, count], { dtype: 'int32' })], 1) as Tensor<'int32'>;
        for (let i = 8; i < length; i++) {
          plain = np.at(plain, 0, i).set(next(params, plain, np.array(i - 1, { dtype: 'int32' })));
        }
        const same = np.mean(np.astype(np.equal(cached, plain), 'float32')).item();
        const asked = letters.encode('\n');
        const written = jit((p: nn.GptParams) =>
          nn.gpt.generate(p, config)(np.broadcastTo(np.array(asked), [6, asked.length]) as Tensor<'int32'>, {
            steps: length - 1,
            key: writeKey!,
            temperature: 0.8,
            topK: 20,
          }),
        )(params);
        const lines = (written.toArray() as number[][]).map((row) => letters.decode(row).trim());
        console.log(`it writes:\n${lines.map((line) => `  ${line.replaceAll('\n', '\n  ')}`).join('\n  …\n')}`);
        const smoothed = losses
          .map((_, i) => losses.slice(Math.max(0, i - 20), i + 1))
          .map((some) => some.reduce((a, b) => a + b, 0) / some.length);
        return {
          numbers: { nats, first: losses[0]!, same },
          claims: [
            cli.atMost('nats a character, held out', nats, data === null ? (short ? 2.2 : 0.8) : short ? 3.2 : 1.9),
            cli.atLeast('characters written alike with and without the cache', same, 1),
          ],
          files: {
            'loss.svg': lineChart({
              title: 'Learning to write',
              xLabel: 'step',
              yLabel: 'nats a character',
              series: [
                { name: 'learning', points: smoothed.map((v, i) => [i, v] as const) },
                {
                  name: 'held out, at the end',
                  points: [
                    [0, nats],
                    [steps - 1, nats],
                  ],
                },
              ],
            }),
            'written.txt': `${lines.join('\n…\n')}\n`,
          },
        };
      }),
    );
  },
};
