//! The power spectrum of a real frame whose length is a power of two: window, Fourier transform and squares in one, in lanes.
//!
//! Neighbouring samples become the real and imaginary parts of half as many points (R. G. Lyons, "Understanding Digital Signal
//! Processing", 3rd edition, section 13.5.2), which go through a radix-4 transform in place (W. M. Gentleman and G. Sande, "Fast
//! Fourier Transforms: for Fun and Profit", 1966), so that 2,048 samples stay in the nearest cache. Its first pass reads and
//! weights the frame itself. What takes the two halves apart gives powers at once, and puts them in order.

use std::f64::consts::TAU;

use super::wide::Doubles;

/// Points side by side: one AVX register of doubles.
const LANES: usize = 4;
/// Samples that they hold.
const PAIRS: usize = 2 * LANES;

/// Neighbouring points.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Block {
    re: [f64; LANES],
    im: [f64; LANES],
}

/// What follows from a frame's length and window.
pub(super) struct Fft {
    /// The window's weights, halved: the even and the odd samples'.
    window: Vec<Block>,
    /// The factors of the first pass, which is along the lanes.
    first: Vec<[Block; 3]>,
    /// The factors of each pass between the first and the last: one, two and three times an angle.
    passes: Vec<Vec<[[f64; 2]; 3]>>,
    /// Whether the last pass has two points per butterfly, not four.
    halves: bool,
    /// Where the passes leave each block of the transform.
    places: Vec<usize>,
    /// The factors that take the halves apart.
    apart: Vec<Block>,
}

/// Where a frame is transformed.
pub(super) struct Room(Vec<Block>);

impl Fft {
    /// For frames of the window's length, if that is a power of two and at least 32.
    pub(super) fn new(window: &[f64]) -> Option<Self> {
        let points = window.len() / 2;
        if !window.len().is_power_of_two() || points < 4 * LANES {
            return None;
        }
        let turns = |length: usize, p: usize| [1, 2, 3].map(|times| turn(times * p, length));
        let lengths = std::iter::successors(Some(points / 4), |length| Some(length / 4));
        let mut places = vec![0; points / LANES];
        for (place, block) in order(places.len()).into_iter().enumerate() {
            places[block] = place;
        }
        Some(Self {
            window: window
                .as_chunks::<PAIRS>()
                .0
                .iter()
                .map(|weights| block(|lane| [0.5 * weights[2 * lane], 0.5 * weights[2 * lane + 1]]))
                .collect(),
            first: (0..points / 4)
                .step_by(LANES)
                .map(|p| [0, 1, 2].map(|time| block(|lane| turns(points, p + lane)[time])))
                .collect(),
            passes: lengths
                .take_while(|&length| length > 4)
                .map(|length| (0..length / 4).map(|p| turns(length, p)).collect())
                .collect(),
            halves: points.ilog2() % 2 == 1,
            places,
            // -i exp(-i angle)
            apart: (0..points / 2)
                .step_by(LANES)
                .map(|bin| {
                    block(|lane| {
                        let [re, im] = turn(bin + lane, window.len());
                        [im, -re]
                    })
                })
                .collect(),
        })
    }

    /// Room for one frame at a time.
    pub(super) fn room(&self) -> Room {
        Room(vec![Block { re: [0.0; LANES], im: [0.0; LANES] }; self.window.len()])
    }

    /// Fills in the powers of all bins of a frame of the window's length: one more than half as many.
    #[inline(always)]
    pub(super) fn powers<D: Doubles>(&self, frame: &[f32], room: &mut Room, powers: &mut [f32]) {
        let blocks = &mut room.0[..];
        self.first_pass::<D>(frame, blocks);
        for turns in &self.passes {
            for part in blocks.chunks_exact_mut(4 * turns.len()) {
                pass::<D>(part, turns);
            }
        }
        if self.halves {
            last_pass_of_two::<D>(blocks);
        } else {
            last_pass_of_four::<D>(blocks);
        }
        self.take_apart::<D>(blocks, powers);
    }

    /// Weights the samples and combines points a quarter of the frame apart.
    #[inline(always)]
    fn first_pass<D: Doubles>(&self, frame: &[f32], to: &mut [Block]) {
        let [a, b, c, d] = quarters(frame.as_chunks::<PAIRS>().0);
        let [wa, wb, wc, wd] = quarters(&self.window);
        let froms = a.iter().zip(wa).zip(b.iter().zip(wb)).zip(c.iter().zip(wc).zip(d.iter().zip(wd)));
        for (((((a, wa), (b, wb)), ((c, wc), (d, wd))), turns), to) in froms.zip(&self.first).zip(to.as_chunks_mut::<LANES>().0) {
            let y = butterfly::<D>([weigh(a, wa), weigh(b, wb), weigh(c, wc), weigh(d, wd)]);
            let [y0, y1, y2, y3] = [y[0], y[1].times(turns[0].load()), y[2].times(turns[1].load()), y[3].times(turns[2].load())];
            let re = D::transpose([y0.re, y1.re, y2.re, y3.re]);
            let im = D::transpose([y0.im, y1.im, y2.im, y3.im]);
            for lane in 0..LANES {
                to[lane].store(Points { re: re[lane], im: im[lane] });
            }
        }
    }

    /// Powers from the transform of the points: bin `k` and its mirror image hold the spectra of the even and of the odd samples.
    #[inline(always)]
    fn take_apart<D: Doubles>(&self, points: &[Block], powers: &mut [f32]) {
        let bins = points.len() * LANES;
        let (low, high) = powers[..=bins].split_at_mut(bins / 2);
        let (middle, high) = high.split_first_mut().expect("a bin is in the middle");
        let (low, high) = (low.as_chunks_mut::<LANES>().0.iter_mut(), high.as_chunks_mut::<LANES>().0.iter_mut().rev());
        // The mirror image of a block is the last lanes of one and the first of the next, and beyond the last is the first.
        let mut after = points[0].load::<D>();
        let places = self.places.iter().zip(self.places.iter().rev());
        for ((((&place, &mirrored), turns), low), high) in places.zip(&self.apart).zip(low).zip(high) {
            let (z, before) = (points[place].load::<D>(), points[mirrored].load::<D>());
            let y = Points { re: before.re.mirror(after.re), im: before.im.mirror(after.im) };
            after = before;
            let even = Points { re: z.re.plus(y.re), im: z.im.minus(y.im) };
            let odd = Points { re: z.re.minus(y.re), im: z.im.plus(y.im) }.times(turns.load());
            even.plus(odd).squares().store_singles(low);
            even.minus(odd).squares().store_singles_reversed(high);
        }
        // It is its own mirror image.
        let Block { re: [re, ..], im: [im, ..] } = points[self.places[points.len() / 2]];
        *middle = (4.0 * (re * re + im * im)) as f32;
    }
}

impl Block {
    #[inline(always)]
    fn load<D: Doubles>(&self) -> Points<D> {
        Points { re: D::load(&self.re), im: D::load(&self.im) }
    }

    #[inline(always)]
    fn store<D: Doubles>(&mut self, points: Points<D>) {
        points.re.store(&mut self.re);
        points.im.store(&mut self.im);
    }
}

/// A block at work.
#[derive(Clone, Copy)]
struct Points<D> {
    re: D,
    im: D,
}

impl<D: Doubles> Points<D> {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        Self { re: self.re.plus(other.re), im: self.im.plus(other.im) }
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        Self { re: self.re.minus(other.re), im: self.im.minus(other.im) }
    }

    #[inline(always)]
    fn times(self, other: Self) -> Self {
        Self {
            re: self.re.times(other.re).minus(self.im.times(other.im)),
            im: self.re.times(other.im).plus(self.im.times(other.re)),
        }
    }

    /// The same point in every lane.
    #[inline(always)]
    fn all([re, im]: [f64; 2]) -> Self {
        Self { re: D::all(re), im: D::all(im) }
    }

    /// The squares of the magnitudes.
    #[inline(always)]
    fn squares(self) -> D {
        self.re.times(self.re).plus(self.im.times(self.im))
    }
}

/// Even and odd samples, weighted.
#[inline(always)]
fn weigh<D: Doubles>(samples: &[f32; PAIRS], weights: &Block) -> Points<D> {
    let [evens, odds] = D::evens_and_odds(samples);
    Points { re: evens.times(D::load(&weights.re)), im: odds.times(D::load(&weights.im)) }
}

fn block(point: impl Fn(usize) -> [f64; 2]) -> Block {
    let points = [0, 1, 2, 3].map(point);
    Block { re: points.map(|[re, _]| re), im: points.map(|[_, im]| im) }
}

/// exp(-i angle) of the angle that is `part` parts of `whole` of a turn.
fn turn(part: usize, whole: usize) -> [f64; 2] {
    let angle = part as f64 / whole as f64 * TAU;
    [angle.cos(), -angle.sin()]
}

#[inline(always)]
fn quarters<T>(all: &[T]) -> [&[T]; 4] {
    let (front, back) = all.split_at(all.len() / 2);
    let ((a, b), (c, d)) = (front.split_at(front.len() / 2), back.split_at(back.len() / 2));
    [a, b, c, d]
}

#[inline(always)]
fn quarters_mut<T>(all: &mut [T]) -> [&mut [T]; 4] {
    let (front, back) = all.split_at_mut(all.len() / 2);
    let ((a, b), (c, d)) = (front.split_at_mut(front.len() / 2), back.split_at_mut(back.len() / 2));
    [a, b, c, d]
}

/// The transform of four points.
#[inline(always)]
fn butterfly<D: Doubles>([a, b, c, d]: [Points<D>; 4]) -> [Points<D>; 4] {
    let (sum, difference) = (a.plus(c), a.minus(c));
    let (other, turned) = (b.plus(d), b.minus(d));
    // -i (x + iy) = y - ix
    [
        sum.plus(other),
        Points { re: difference.re.plus(turned.im), im: difference.im.minus(turned.re) },
        sum.minus(other),
        Points { re: difference.re.minus(turned.im), im: difference.im.plus(turned.re) },
    ]
}

/// Combines blocks a quarter of `part` apart, so that each quarter is left with a transform of its own to make.
#[inline(always)]
fn pass<D: Doubles>(part: &mut [Block], turns: &[[[f64; 2]; 3]]) {
    let [a, b, c, d] = quarters_mut(part);
    for ((((a, b), c), d), turns) in a.iter_mut().zip(b).zip(c).zip(d).zip(turns) {
        let y = butterfly::<D>([a.load(), b.load(), c.load(), d.load()]);
        a.store(y[0]);
        b.store(y[1].times(Points::all(turns[0])));
        c.store(y[2].times(Points::all(turns[1])));
        d.store(y[3].times(Points::all(turns[2])));
    }
}

/// The last pass has no factors.
#[inline(always)]
fn last_pass_of_four<D: Doubles>(blocks: &mut [Block]) {
    for part in blocks.as_chunks_mut::<4>().0 {
        let y = butterfly::<D>([part[0].load(), part[1].load(), part[2].load(), part[3].load()]);
        for (block, y) in part.iter_mut().zip(y) {
            block.store(y);
        }
    }
}

#[inline(always)]
fn last_pass_of_two<D: Doubles>(blocks: &mut [Block]) {
    for [a, b] in blocks.as_chunks_mut::<2>().0 {
        let (sum, difference) = (a.load::<D>().plus(b.load()), a.load::<D>().minus(b.load()));
        a.store(sum);
        b.store(difference);
    }
}

/// Which block of the transform lies at each place after passes over `count` blocks: the first pass leaves those whose number
/// is a multiple of four in the first quarter, and so on within each quarter.
fn order(count: usize) -> Vec<usize> {
    let radix = count.min(4);
    match count {
        1 => vec![0],
        _ => (0..radix).flat_map(|part| order(count / radix).into_iter().map(move |block| radix * block + part)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use realfft::RealFftPlanner;

    use super::super::wide::Plain;
    use super::*;

    proptest! {
        #[test]
        fn powers_are_those_of_a_plain_transform(
            size in 5_u32..13, seed in prop::collection::vec((-1.0_f32..1.0, 0.0_f64..1.0), 4096),
        ) {
            let length = 1 << size;
            let (frame, window): (Vec<f32>, Vec<f64>) = seed[..length].iter().copied().unzip();
            let fft = Fft::new(&window).expect("a power of two");
            let mut powers = vec![f32::NAN; length / 2 + 1];
            // The second frame must not see the first.
            let mut room = fft.room();
            fft.powers::<Plain>(&vec![1.0; length], &mut room, &mut powers);
            fft.powers::<Plain>(&frame, &mut room, &mut powers);
            let plain = RealFftPlanner::<f64>::new().plan_fft_forward(length);
            let mut windowed: Vec<f64> = frame.iter().zip(&window).map(|(&sample, weight)| f64::from(sample) * weight).collect();
            let mut spectrum = plain.make_output_vec();
            plain.process(&mut windowed, &mut spectrum).expect("lengths fit");
            for (bin, (&power, point)) in powers.iter().zip(&spectrum).enumerate() {
                let slow = point.norm_sqr();
                // The rounding of the transform, 1e-15 of its largest magnitudes, and that of the result.
                let allowed = 1e-12 * slow.sqrt() + 1e-24 * length as f64 + 1e-7 * slow;
                prop_assert!((f64::from(power) - slow).abs() <= allowed, "bin {bin} of {length}: {power} instead of {slow}");
            }
        }
    }

    #[test]
    fn other_lengths_are_left_to_others() {
        assert!([16, 30, 48, 2000].iter().all(|&length| Fft::new(&vec![1.0; length]).is_none()));
    }
}
