//! Least squares with three parameters, none of them negative.

/// One equation: the factors of the parameters, and the value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Equation {
    pub factors: [f64; 3],
    pub value: f64,
}

/// The non-negative parameters with the lowest sum of squared differences.
///
/// With bounds at zero, the solution solves plain least squares over the parameters that are not zero. There
/// are seven choices of such parameters among three. Each is solved by its normal equations, and the best one
/// without a negative parameter is the exact solution.
pub(super) fn non_negative(equations: &[Equation]) -> [f64; 3] {
    let mut best = ([0.0; 3], squares(equations, &[0.0; 3]));
    for used in 1u8..8 {
        let chosen: Vec<usize> = (0..3).filter(|i| used & 1 << i != 0).collect();
        let Some(solved) = solve(equations, &chosen) else { continue };
        if solved.iter().any(|parameter| *parameter < 0.0) {
            continue;
        }
        let mut parameters = [0.0; 3];
        chosen.iter().zip(solved).for_each(|(i, parameter)| parameters[*i] = parameter);
        let left = squares(equations, &parameters);
        if left < best.1 {
            best = (parameters, left);
        }
    }
    best.0
}

fn squares(equations: &[Equation], parameters: &[f64; 3]) -> f64 {
    let difference = |e: &Equation| {
        e.factors.iter().zip(parameters).map(|(factor, parameter)| factor * parameter).sum::<f64>() - e.value
    };
    equations.iter().map(|equation| difference(equation).powi(2)).sum()
}

/// Plain least squares over the chosen parameters; `None` if they cannot be distinguished.
fn solve(equations: &[Equation], chosen: &[usize]) -> Option<Vec<f64>> {
    let n = chosen.len();
    // Columns are normalised, so that large and small factors count alike in the test for zero.
    let length = |i: &usize| equations.iter().map(|e| e.factors[*i].powi(2)).sum::<f64>().sqrt();
    let scale: Vec<f64> = chosen.iter().map(length).collect();
    if scale.contains(&0.0) {
        return None;
    }
    let factor = |e: &Equation, i: usize| e.factors[chosen[i]] / scale[i];
    let mut rows: Vec<Vec<f64>> = (0..n)
        .map(|i| {
            let products = (0..n).map(|j| equations.iter().map(|e| factor(e, i) * factor(e, j)).sum());
            let value = equations.iter().map(|e| factor(e, i) * e.value).sum();
            products.chain([value]).collect()
        })
        .collect();
    for i in 0..n {
        let pivot = (i..n).max_by(|&a, &b| rows[a][i].abs().total_cmp(&rows[b][i].abs()))?;
        rows.swap(i, pivot);
        if rows[i][i].abs() < 1e-10 {
            return None;
        }
        for below in i + 1..n {
            let (above, under) = rows.split_at_mut(below);
            let times = under[0][i] / above[i][i];
            under[0].iter_mut().zip(&above[i]).for_each(|(value, pivot)| *value -= times * pivot);
        }
    }
    let mut solution = vec![0.0; n];
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|k| rows[i][k] * solution[k]).sum();
        solution[i] = (rows[i][n] - known) / rows[i][i];
    }
    Some(solution.iter().zip(scale).map(|(parameter, scale)| parameter / scale).collect())
}

/// Constant and slope of `y = a + b·x`, non-negative, by least squares of the relative differences.
pub(in crate::experiment) fn line_through(points: &[(f64, f64)]) -> (f64, f64) {
    let equation = |&(x, y): &(f64, f64)| Equation { factors: [1.0 / y, x / y, 0.0], value: 1.0 };
    let [a, b, _] = non_negative(&points.iter().map(equation).collect::<Vec<_>>());
    (a, b)
}
